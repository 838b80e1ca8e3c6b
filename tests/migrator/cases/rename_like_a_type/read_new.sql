SELECT id, typeof(body), body, typeof(size), size FROM t ORDER BY id;
