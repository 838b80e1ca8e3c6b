INSERT INTO a(mail) VALUES('a@b');
