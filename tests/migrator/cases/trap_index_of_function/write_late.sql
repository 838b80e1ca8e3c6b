INSERT INTO t(text) VALUES('late');
