INSERT INTO setting(key, value, upper) VALUES('shape', 'round', 'ROUND');
