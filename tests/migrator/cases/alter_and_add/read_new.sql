SELECT id, qty, unit, label FROM s ORDER BY id;
