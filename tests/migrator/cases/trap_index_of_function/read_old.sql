SELECT id, text, length FROM t ORDER BY id;
