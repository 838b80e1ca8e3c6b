INSERT INTO shop(name) VALUES('new');
UPDATE product SET cents = cents + 1 WHERE name = 'cheese';
INSERT INTO product(name, cents) VALUES('fig', 99);
