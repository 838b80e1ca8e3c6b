INSERT INTO land VALUES('de'), ('fr');
INSERT INTO person VALUES(1, 'de', NULL, 'Ann Ax'), (2, 'fr', 1, 'Bob Box'), (3, NULL, 2, 'Cyn Cox'), (4, 'de', NULL, 'Dan Dox');
INSERT INTO visit VALUES(1, 1, 'mon'), (2, 2, 'tue'), (3, 4, 'wed');
