SELECT id, body FROM event ORDER BY id;
