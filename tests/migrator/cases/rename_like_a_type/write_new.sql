INSERT INTO t(body, size) VALUES('08', '8');
