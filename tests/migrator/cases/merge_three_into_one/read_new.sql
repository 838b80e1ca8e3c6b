SELECT id, text FROM ver ORDER BY id;
