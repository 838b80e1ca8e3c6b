SELECT id, first, last, unit || '|' FROM span ORDER BY 1;
