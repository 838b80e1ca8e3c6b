INSERT INTO person(first, last) VALUES('Eve', 'Gow'); UPDATE person SET last = upper(last);
