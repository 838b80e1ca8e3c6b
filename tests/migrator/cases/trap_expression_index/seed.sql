INSERT INTO c(email, kind) VALUES('A@b', 'x'), (NULL, 'email'), ('a@B', NULL);
