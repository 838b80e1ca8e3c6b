INSERT INTO u(name) VALUES('new');
