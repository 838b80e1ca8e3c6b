UPDATE fact SET content = 1e3, number = 9223372036854775807 WHERE id = 3;
