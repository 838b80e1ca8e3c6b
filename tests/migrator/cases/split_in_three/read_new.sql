SELECT id, y, m, dom FROM d ORDER BY id;
