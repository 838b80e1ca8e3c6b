INSERT INTO u(name, nick) VALUES('new', 'n');
