INSERT INTO "odd name"(c, "a ""b""", "a new", both) VALUES(4, 'w', 'W', 'w-');
