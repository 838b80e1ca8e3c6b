INSERT INTO t(b, size) VALUES('n', 4);
