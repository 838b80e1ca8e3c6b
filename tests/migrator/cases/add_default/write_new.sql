INSERT INTO job(name, state, tries) VALUES('new', 'done', 3);
UPDATE job SET state = 'run', tries = 0 WHERE id = 2;
INSERT INTO job(name) VALUES('left out');
