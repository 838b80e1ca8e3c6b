INSERT INTO account VALUES(1, 'ann', 'Bonn', 'A 1'), (2, 'bob', NULL, NULL), (3, 'cyn', 'Ulm', 'C 3');
