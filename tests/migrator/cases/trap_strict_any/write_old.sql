INSERT INTO fact(value, n, r) VALUES('1.0', 6, 6);
UPDATE fact SET value = 2 WHERE id = 1;
