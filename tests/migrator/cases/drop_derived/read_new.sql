SELECT id, first, last FROM person ORDER BY id;
