INSERT INTO customer(email) VALUES('old@x');
UPDATE customer SET email = NULL WHERE id = 1;
