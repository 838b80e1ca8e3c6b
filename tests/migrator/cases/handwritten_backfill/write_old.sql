INSERT INTO account(name, city) VALUES('old', 'Trier');
UPDATE account SET city = 'Kiel' WHERE id = 1;
