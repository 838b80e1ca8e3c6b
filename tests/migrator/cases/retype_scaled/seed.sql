INSERT INTO product(price) VALUES(12.5), (0.25), (NULL), (3);
