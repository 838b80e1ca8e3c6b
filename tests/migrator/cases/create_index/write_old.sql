INSERT INTO customer(email) VALUES('o@Z');
