INSERT INTO t(text, length) VALUES('abc', 3), ('de', 7);
