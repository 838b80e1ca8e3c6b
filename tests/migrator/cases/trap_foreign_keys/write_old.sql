INSERT INTO person(id, land, boss, name) VALUES(5, 'fr', 4, 'Eve Elk');
UPDATE land SET code = 'it' WHERE code = 'fr';
DELETE FROM person WHERE id = 2;
UPDATE person SET id = 40, name = 'Dan Day' WHERE id = 1;
