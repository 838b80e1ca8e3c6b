INSERT INTO task(title, done) VALUES('new', 1);
UPDATE task SET title = 'reaped', done = 0 WHERE id = 2;
