INSERT INTO u(x) VALUES('late');
