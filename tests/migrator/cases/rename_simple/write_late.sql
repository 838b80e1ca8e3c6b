INSERT INTO customer(address) VALUES('late@x');
