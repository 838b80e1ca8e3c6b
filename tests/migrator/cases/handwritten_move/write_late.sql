UPDATE address SET city = 'Jena' WHERE account = 3;
