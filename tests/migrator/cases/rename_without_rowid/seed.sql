INSERT INTO kv VALUES('a', 1, x'00'), ('B', 2, 'text'), ('c', 3, NULL);
