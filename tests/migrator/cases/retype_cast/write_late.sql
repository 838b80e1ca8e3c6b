INSERT INTO product(cents) VALUES(100);
