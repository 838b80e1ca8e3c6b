SELECT id, line, debug, level FROM log ORDER BY id;
