SELECT id, cents FROM product ORDER BY id;
