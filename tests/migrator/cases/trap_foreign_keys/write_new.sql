INSERT INTO person(id, land, boss, first, last) VALUES(6, NULL, 5, 'Fay', 'Fox');
UPDATE person SET last = 'Ash', boss = 4 WHERE id = 40;
DELETE FROM land WHERE code = 'it';
INSERT INTO visit VALUES(4, 6, 'thu');
