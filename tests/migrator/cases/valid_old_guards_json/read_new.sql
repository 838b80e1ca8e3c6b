SELECT id, kind FROM event ORDER BY id;
