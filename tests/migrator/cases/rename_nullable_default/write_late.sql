INSERT INTO item(name) VALUES('late default');
INSERT INTO item(quantity) VALUES(NULL);
