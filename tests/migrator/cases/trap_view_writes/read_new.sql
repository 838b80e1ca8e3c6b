SELECT id, name, cents, gone FROM product ORDER BY 1;
