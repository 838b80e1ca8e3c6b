INSERT INTO setting(key, value) VALUES('size', 'big');
UPDATE setting SET value = 'blue' WHERE key = 'colour';
