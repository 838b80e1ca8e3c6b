INSERT INTO product(cents) VALUES(999);
UPDATE product SET cents = NULL WHERE id = 1;
