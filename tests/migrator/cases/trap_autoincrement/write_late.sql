INSERT INTO ticket(seat) VALUES('E');
DELETE FROM ticket WHERE seat = 'E';
