INSERT INTO a(mail) VALUES('e@f');
