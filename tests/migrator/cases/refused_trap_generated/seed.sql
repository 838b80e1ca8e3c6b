INSERT INTO c(email) VALUES('a@b');
