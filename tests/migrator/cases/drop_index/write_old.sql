INSERT INTO t(a, b) VALUES('o', 'o');
