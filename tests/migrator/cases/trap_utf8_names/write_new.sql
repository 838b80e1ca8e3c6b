INSERT INTO "Größe 日本"("vor →", nach, "日本") VALUES('Ÿ', '🙂', '語');
UPDATE "Größe 日本" SET nach = 'ü' WHERE "größe" = 1;
