INSERT INTO ticket(seat) VALUES('D');
