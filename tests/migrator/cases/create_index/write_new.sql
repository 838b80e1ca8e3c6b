INSERT INTO customer(email, domain) VALUES('n@w', 'w');
