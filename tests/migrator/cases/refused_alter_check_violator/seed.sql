INSERT INTO t(a) VALUES('abc');
