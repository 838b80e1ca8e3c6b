INSERT INTO account VALUES(4, 'old', 'Trier', 'O 4');
UPDATE account SET city = 'Kiel' WHERE id = 1;
UPDATE account SET id = 8, city = NULL, street = NULL WHERE id = 6;
REPLACE INTO account VALUES(7, 'eva', 'Hof', 'E 7');
