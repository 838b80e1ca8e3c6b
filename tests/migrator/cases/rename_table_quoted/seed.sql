INSERT INTO "Old ""one""" VALUES(1, 'x', 2);
