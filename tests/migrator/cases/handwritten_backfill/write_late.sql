UPDATE account SET name = 'Jena' WHERE id = 3;
