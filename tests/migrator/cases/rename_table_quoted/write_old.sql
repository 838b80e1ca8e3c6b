INSERT INTO "Old ""one""" VALUES(2, 'old', 3);
