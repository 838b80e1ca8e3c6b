SELECT id, first, last, step || '|' FROM span ORDER BY 1;
