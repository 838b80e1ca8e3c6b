SELECT id, email FROM customer ORDER BY id;
