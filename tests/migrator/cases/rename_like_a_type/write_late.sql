INSERT INTO t(body, size) VALUES('07', '07');
