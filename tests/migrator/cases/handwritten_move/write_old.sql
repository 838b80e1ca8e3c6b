INSERT INTO account VALUES(4, 'old', 'Trier', 'O 4');
UPDATE account SET city = 'Kiel' WHERE id = 1;
