INSERT INTO person(first, last, whole) VALUES('Ann', 'Lee', 'Ann Lee'), ('Bob', 'Ray', 'Dr. Bob Ray'), (NULL, 'Poe', 'Poe');
