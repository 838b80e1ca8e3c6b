INSERT INTO kv(k, n, value) VALUES('e', 5, 'new');
UPDATE kv SET value = NULL WHERE n = 4;
