INSERT INTO t(a, length, kept, gone) VALUES('x', 1, 'k', 'g'), ('Y', -2, 'k', NULL);
