INSERT INTO t(position) VALUES('late'); UPDATE t SET position = position || '!' WHERE id < 3;
