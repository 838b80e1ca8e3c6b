INSERT INTO product(id) VALUES(20);
INSERT INTO product(cents) VALUES(1);
