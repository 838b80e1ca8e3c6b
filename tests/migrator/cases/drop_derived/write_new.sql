INSERT INTO person(first, last) VALUES('Dee', 'Fox'); UPDATE person SET first = 'Rob' WHERE id = 2; UPDATE person SET last = 'Orrin' WHERE first = 'Cid';
