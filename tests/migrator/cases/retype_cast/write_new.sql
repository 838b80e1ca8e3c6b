INSERT INTO product(cents) VALUES(99);
UPDATE product SET cents = 13 WHERE id = 1;
