SELECT id, typeof(text), text, typeof(length), length FROM t ORDER BY id;
