INSERT INTO person(first, last) VALUES('Alan', 'Turing');
UPDATE person SET last = 'Byron' WHERE first = 'Ada';
