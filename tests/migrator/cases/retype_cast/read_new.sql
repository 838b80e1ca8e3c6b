SELECT id, quote(cents) FROM product ORDER BY id;
