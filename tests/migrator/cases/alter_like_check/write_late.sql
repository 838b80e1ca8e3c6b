INSERT INTO a(mail) VALUES('g@h');
