INSERT INTO seat VALUES(1, 'red', 1, 'ann@x'), (2, 'red', 2, 'bob@y'), (3, 'gold', 7, NULL), (4, 'blue', 7, 'dan@z');
