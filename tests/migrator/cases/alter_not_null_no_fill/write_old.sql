INSERT INTO u(name) VALUES('carl');
