INSERT INTO ver(major, minor) VALUES(4, 5);
UPDATE ver SET patch = 7 WHERE id = 1;
