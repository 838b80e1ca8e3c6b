INSERT INTO product(price) VALUES('40');
UPDATE product SET price = '8' WHERE id = 2;
