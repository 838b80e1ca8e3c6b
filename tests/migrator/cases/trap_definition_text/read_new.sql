SELECT id, first, kept FROM text ORDER BY 1;
