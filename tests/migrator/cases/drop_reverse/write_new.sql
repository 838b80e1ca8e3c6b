INSERT INTO log(line) VALUES('new'); UPDATE log SET line = line || '!' WHERE id = 2;
