SELECT id, qty, name FROM item ORDER BY id;
