SELECT id, quantity, name FROM item ORDER BY id;
