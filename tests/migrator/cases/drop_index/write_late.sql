INSERT INTO t(a, b) VALUES('l', 'l');
