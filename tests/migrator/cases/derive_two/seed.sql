INSERT INTO "odd name" VALUES('x', 1, 'r1', 'k'), ('y', 2, 'r2', NULL);
