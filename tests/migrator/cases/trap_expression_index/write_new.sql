INSERT INTO c(mail) VALUES('New'); UPDATE c SET mail = upper(mail) WHERE id = 3;
