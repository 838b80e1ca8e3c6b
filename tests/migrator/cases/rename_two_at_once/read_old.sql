SELECT id, a, b FROM p ORDER BY id;
