INSERT INTO text(first) VALUES('new');
UPDATE text SET first = ',(' WHERE id = 1;
