INSERT INTO tag(name) VALUES('one'), (NULL);
