INSERT INTO contact VALUES(1, NULL, NULL, NULL), (2, '49 30', NULL, NULL), (3, NULL, '49 40', NULL), (4, '', '', ''), (5, NULL, NULL, 'x'), (6, ' ', NULL, NULL);
