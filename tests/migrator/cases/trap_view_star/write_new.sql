INSERT INTO c(mail) VALUES('new');
