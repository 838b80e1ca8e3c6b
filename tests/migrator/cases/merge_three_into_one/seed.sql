INSERT INTO ver(major, minor, patch) VALUES(1, 2, 3), (0, 9, 0);
