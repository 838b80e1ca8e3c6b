INSERT INTO "odd name"(c, "a ""b""") VALUES(3, 'z');
UPDATE "odd name" SET kept = 'now' WHERE c = 2;
