INSERT INTO log(line, debug, at) VALUES('one', 'd1', 1), ('two', NULL, 2);
