INSERT INTO product(price) VALUES('12'), ('7'), ('-3');
