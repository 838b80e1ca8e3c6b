INSERT INTO account(id, name) VALUES(5, 'new');
INSERT INTO address VALUES(5, 'Mainz', 'N 5');
