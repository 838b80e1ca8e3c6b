SELECT * FROM "ord""er" ORDER BY 1;
