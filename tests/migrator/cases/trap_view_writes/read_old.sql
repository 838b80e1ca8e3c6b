SELECT id, name, price, gone FROM product ORDER BY 1;
