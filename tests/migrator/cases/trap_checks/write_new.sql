INSERT INTO span(first, step) VALUES(40, 'day');
INSERT OR IGNORE INTO span(first, last, step) VALUES(41, 40, 'day'), (0, 2000, 'day');
UPDATE span SET step = 'day  ' WHERE id = 1;
