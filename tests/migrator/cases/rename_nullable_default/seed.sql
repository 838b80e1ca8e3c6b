INSERT INTO item(qty, name) VALUES(1, 'one'), (NULL, 'none'); INSERT INTO item(name) VALUES('default'); INSERT INTO item(qty) VALUES(NULL);
