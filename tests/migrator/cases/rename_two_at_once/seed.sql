INSERT INTO p(a, b) VALUES('x', 1), ('y', NULL);
