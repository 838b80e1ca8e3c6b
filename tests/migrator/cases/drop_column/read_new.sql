SELECT id, line, at FROM log ORDER BY id;
