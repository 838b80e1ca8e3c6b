INSERT INTO product(price) VALUES(1.1);
UPDATE product SET price = 8.75 WHERE id = 2;
