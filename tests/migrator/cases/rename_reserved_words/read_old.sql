SELECT id, "group", "select" FROM "order" ORDER BY id;
