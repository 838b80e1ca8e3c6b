INSERT INTO log(line) VALUES('late'); UPDATE log SET line = 'changed' WHERE id = 1;
