INSERT INTO price VALUES('a', 'eu', 1.25), ('a', 'us', 10), ('b', 'it''s', 0.99);
