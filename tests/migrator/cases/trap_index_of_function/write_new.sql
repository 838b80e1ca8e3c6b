INSERT INTO t(text) VALUES('new');
