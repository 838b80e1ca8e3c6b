UPDATE person SET first = 'Fae' WHERE id = 6;
DELETE FROM person WHERE id = 5;
