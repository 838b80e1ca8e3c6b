INSERT INTO "Größe 日本"("naïve Straße") VALUES('alt→neu');
UPDATE "Größe 日本" SET "naïve Straße" = 'Ärger→Öl' WHERE "größe" = 3;
