SELECT id, coalesce(qty, 0), unit FROM s ORDER BY id;
