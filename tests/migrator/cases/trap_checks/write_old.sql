INSERT INTO span(first, last, unit) VALUES(10, 20, 'week');
INSERT OR IGNORE INTO span(first, last, unit) VALUES(10, 20, 'year'), (30, 20, 'day'), (0, 2000, 'day');
UPDATE span SET unit = 'week', last = 8 WHERE id = 2;
