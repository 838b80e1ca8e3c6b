SELECT id, quote(body) FROM event ORDER BY id;
