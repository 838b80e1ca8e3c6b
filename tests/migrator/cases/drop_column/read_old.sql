SELECT id, line, debug, at FROM log ORDER BY id;
