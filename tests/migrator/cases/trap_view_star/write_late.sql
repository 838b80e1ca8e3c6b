UPDATE c SET mail = 'late' WHERE id = 1;
