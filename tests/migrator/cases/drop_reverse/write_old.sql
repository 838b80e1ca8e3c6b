INSERT INTO log(line, debug, level) VALUES('old', 'on', 5); UPDATE log SET debug = 'loud' WHERE id = 1;
