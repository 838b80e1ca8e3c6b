INSERT INTO job(name) VALUES('old');
UPDATE job SET name = 'A' WHERE id = 1;
