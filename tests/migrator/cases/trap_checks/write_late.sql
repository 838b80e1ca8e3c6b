INSERT OR IGNORE INTO span(first, step) VALUES(50, 'year'), (51, 'week');
