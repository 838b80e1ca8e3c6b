INSERT INTO item(name) VALUES('old default');
INSERT INTO item(qty) VALUES(NULL);
UPDATE item SET qty = NULL WHERE id = 1;
