INSERT INTO task(title) VALUES('old');
UPDATE task SET title = 'sown', state = 'done' WHERE id = 1;
DELETE FROM task WHERE id = 3;
