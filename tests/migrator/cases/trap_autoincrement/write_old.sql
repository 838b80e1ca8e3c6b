INSERT INTO ticket(seat, code) VALUES('C', 'y');
DELETE FROM ticket WHERE seat = 'C';
