INSERT INTO note(id, note, n) VALUES(1, 'a', 1), (2, 'b', 2), (3, 'c', 3), (7, NULL, 7), (-9, 'low', 0);
