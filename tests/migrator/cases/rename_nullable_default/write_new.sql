INSERT INTO item(quantity) VALUES(3);
UPDATE item SET quantity = NULL WHERE id = 3;
