INSERT INTO account(id, name) VALUES(5, 'new');
INSERT INTO address VALUES(5, 'Mainz', 'N 5');
DELETE FROM address WHERE account = 4;
INSERT INTO account(id, name) VALUES(9, 'gone');
INSERT INTO address VALUES(9, 'Worms', 'G 9');
DELETE FROM account WHERE id = 9;
