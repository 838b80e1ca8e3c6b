SELECT id, b FROM t INDEXED BY t_b WHERE b COLLATE NOCASE >= '' ORDER BY id;
SELECT id, size FROM t INDEXED BY by_b_and_size WHERE b = 'Y' AND abs(size) = 2 AND length(b) < 100 AND size IS NOT NULL;
