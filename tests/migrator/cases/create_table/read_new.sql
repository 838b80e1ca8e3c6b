SELECT o.id, n, text FROM orders AS o LEFT JOIN note ON o.id = note.orders ORDER BY 1, 3;
