INSERT INTO t(position) VALUES('fourth');
UPDATE t SET position = 'FIRST' WHERE id = 1;
