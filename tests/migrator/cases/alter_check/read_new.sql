SELECT id, n, m FROM a ORDER BY id;
