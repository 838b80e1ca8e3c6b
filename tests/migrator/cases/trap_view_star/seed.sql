INSERT INTO c(email) VALUES('a@b'), (NULL); INSERT INTO other VALUES('X');
