SELECT id, "table", "say ""hi""" FROM "order" ORDER BY id;
