SELECT id, name, zip, fax, email FROM person ORDER BY 1;
