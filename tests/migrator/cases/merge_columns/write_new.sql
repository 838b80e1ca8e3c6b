INSERT INTO person(name) VALUES('Barbara Liskov');
UPDATE person SET name = 'Grace M. Hopper' WHERE name = 'Grace Hopper';
