INSERT INTO edge(id, word, size) VALUES(-5, 'new', 3);
UPDATE edge SET word = 'the most', size = 8 WHERE id > 9223372036854775806;
