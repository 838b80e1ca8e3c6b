INSERT INTO p(alpha) VALUES('late');
