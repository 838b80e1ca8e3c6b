INSERT INTO customer(email, domain) VALUES('l@v', 'v');
