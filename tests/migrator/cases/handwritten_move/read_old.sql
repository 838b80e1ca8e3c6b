SELECT id, name, city, street FROM account ORDER BY 1;
