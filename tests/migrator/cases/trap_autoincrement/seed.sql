INSERT INTO ticket(id, seat, code) VALUES(1, 'A', 'x'), (500, 'B', NULL);
DELETE FROM ticket WHERE id = 500;
