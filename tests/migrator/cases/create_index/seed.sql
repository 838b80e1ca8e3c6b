INSERT INTO customer(email) VALUES('b@y'), ('a@X');
