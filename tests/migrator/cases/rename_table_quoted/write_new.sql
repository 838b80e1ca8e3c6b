INSERT INTO "ord""er" VALUES(3, 'new', 4);
