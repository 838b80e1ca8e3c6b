SELECT id, line FROM log ORDER BY id;
