SELECT id, a FROM t INDEXED BY t_a WHERE a >= '' ORDER BY id;
