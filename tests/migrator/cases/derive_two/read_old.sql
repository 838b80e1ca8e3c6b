SELECT c, "a ""b""", rowid, kept FROM "odd name" ORDER BY c;
