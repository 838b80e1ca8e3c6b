SELECT id, kind, by_name FROM event ORDER BY id;
