INSERT INTO t(b, size) VALUES('l', 3);
