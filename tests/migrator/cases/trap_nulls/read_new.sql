SELECT id, country, area, telefax, note FROM contact ORDER BY 1;
