INSERT INTO t(text, length) VALUES('1', 1), ('01', '01'), ('y', 999);
