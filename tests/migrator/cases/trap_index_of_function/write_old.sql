INSERT INTO t(text, length) VALUES('old', 3);
