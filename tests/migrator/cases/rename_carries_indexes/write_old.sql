INSERT INTO t(a, length) VALUES('o', 5);
