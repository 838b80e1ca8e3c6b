INSERT INTO kv(k, n, v) VALUES('d', 4, 4.5);
UPDATE kv SET k = 'A' WHERE k = 'a';
REPLACE INTO kv(k, n, v) VALUES('b', 2, 'replaced');
