SELECT * FROM "Old ""one""" ORDER BY 1;
