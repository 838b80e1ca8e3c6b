INSERT INTO u(name, nick) VALUES('ann', 'a'), ('bob', NULL), (NULL, NULL);
