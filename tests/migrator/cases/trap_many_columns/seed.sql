INSERT INTO wide(id, c01, c63, c64, c65, c80, email, tail) VALUES(1, 1, 63, 64, 65, 80, 'a@x', 't'), (2, NULL, NULL, NULL, NULL, NULL, 'b@y', NULL);
