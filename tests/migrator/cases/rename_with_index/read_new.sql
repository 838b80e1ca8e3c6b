SELECT id, b FROM t INDEXED BY t_b WHERE b >= '' ORDER BY id;
