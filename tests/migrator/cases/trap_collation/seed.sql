INSERT INTO login VALUES(1, 'ann', 'a'), (2, 'Bob', 'a '), (3, 'CYN', NULL);
