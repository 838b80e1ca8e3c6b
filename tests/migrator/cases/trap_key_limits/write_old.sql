UPDATE edge SET word = 'the least' WHERE id < -1;
UPDATE edge SET id = -9223372036854775807 WHERE id = -1;
INSERT INTO edge(id, word) VALUES(9223372036854775806, 'nearly');
