INSERT INTO account VALUES(1, 'ann', 'Bonn', 'A 1'), (2, 'bob', NULL, NULL), (3, 'cyn', 'Ulm', 'C 3'), (6, 'dan', NULL, 'D 6'), (7, 'eve', 'Köln', NULL);
