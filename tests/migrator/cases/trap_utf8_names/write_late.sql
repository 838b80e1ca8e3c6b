UPDATE "Größe 日本" SET "vor →" = 'nur ' || "größe" WHERE "größe" = 2;
