INSERT INTO stock VALUES('north', 1, 'A/1', 5), (NULL, 2, 'A/2', 6), (NULL, 2, 'B/9', 7), ('south', NULL, 'C/0', 8);
