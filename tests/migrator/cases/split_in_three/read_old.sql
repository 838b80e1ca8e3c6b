SELECT id, day FROM d ORDER BY id;
