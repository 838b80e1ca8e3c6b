SELECT id, first, last, whole FROM person ORDER BY id;
