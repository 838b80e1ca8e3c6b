INSERT INTO u(name, nick) VALUES('late', 'l');
