INSERT INTO product(name, price) VALUES('apple', 0.25), ('bread', 3), ('cheese', 12.5);
