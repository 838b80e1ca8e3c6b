INSERT INTO task(id, title, state) VALUES(1, 'sow', 'open'), (2, 'reap', 'done'), (3, 'rest', 'open');
