INSERT INTO person(first, last, whole) VALUES('Cid', 'Orr', 'Cid Orr'); UPDATE person SET first = 'Anna', whole = 'Anna of Lee' WHERE id = 1;
