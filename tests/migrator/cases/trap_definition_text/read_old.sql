SELECT id, "first,one", kept, last FROM text ORDER BY 1;
