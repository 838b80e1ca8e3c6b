INSERT INTO Customer(mail) VALUES('dee'); UPDATE Customer SET MAIL = 'BOB' WHERE Id = 2;
