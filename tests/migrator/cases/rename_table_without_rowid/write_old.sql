UPDATE note SET a = 'X' WHERE k = 1 AND a = 'x';
REPLACE INTO note VALUES('new', 1, 1);
UPDATE note SET b = 2 WHERE a = 'y';
