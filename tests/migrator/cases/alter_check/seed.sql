INSERT INTO a(n, m) VALUES(1, 2), (NULL, 3), (4, 5);
