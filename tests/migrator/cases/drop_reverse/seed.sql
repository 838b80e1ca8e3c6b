INSERT INTO log(line, debug, level) VALUES('one', 'on', 1), ('two', 'off', NULL), ('three', 'none', 3);
