SELECT id, phone, fax, note FROM contact ORDER BY 1;
