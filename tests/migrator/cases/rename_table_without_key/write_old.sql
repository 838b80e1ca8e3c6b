INSERT INTO note(code, b) VALUES('old', 1);
REPLACE INTO note(code, b) VALUES('a', 9);
UPDATE note SET b = 1 WHERE b = 1.0;
