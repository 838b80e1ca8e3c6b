UPDATE address SET city = 'Jena' WHERE account = 3;
DELETE FROM address WHERE account = 1;
INSERT INTO account(id, name) VALUES(10, 'late');
INSERT INTO address VALUES(10, 'Suhl', 'L 10');
