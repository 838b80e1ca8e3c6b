INSERT INTO person VALUES('Ada', 'Lovelace', '1815'), ('Grace', 'Hopper', NULL), (NULL, NULL, NULL);
