INSERT INTO t(text, length) VALUES('09', 9.0);
