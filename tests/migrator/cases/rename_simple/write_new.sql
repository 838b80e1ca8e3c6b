INSERT INTO customer(address) VALUES('new@x');
UPDATE customer SET address = 'BOB@x' WHERE id = 3;
