INSERT INTO a(mail) VALUES('c@d');
