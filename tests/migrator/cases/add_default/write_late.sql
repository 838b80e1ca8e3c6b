INSERT INTO job(name) VALUES('late');
INSERT INTO job(name, tries) VALUES('late null', NULL);
