SELECT id, a FROM t INDEXED BY t_a WHERE a COLLATE NOCASE >= '' ORDER BY id;
SELECT id, length FROM t INDEXED BY by_both WHERE a = 'Y' AND abs(length) = 2 AND length(a) < 100 AND length IS NOT NULL;
SELECT id FROM t INDEXED BY t_old WHERE a = 'x' AND kept = 'k';
