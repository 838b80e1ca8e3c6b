INSERT INTO setting(key, value) VALUES('size', NULL);
UPDATE setting SET value = 'blue' WHERE key = 'colour';
