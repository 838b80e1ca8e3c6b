INSERT INTO edge(id, word, size) VALUES(-9223372036854775806, 'late', 4);
