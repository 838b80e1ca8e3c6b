SELECT c, "a new", both, kept FROM "odd name" ORDER BY c;
