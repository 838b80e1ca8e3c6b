SELECT id, alpha, beta FROM p ORDER BY id;
