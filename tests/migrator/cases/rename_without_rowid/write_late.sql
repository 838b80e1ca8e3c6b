INSERT INTO kv(k, n, value) VALUES('z', 9, 'late');
