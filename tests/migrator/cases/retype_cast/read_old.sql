SELECT id, quote(price) FROM product ORDER BY id;
