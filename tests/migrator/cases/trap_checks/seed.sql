INSERT INTO span VALUES(1, 1, 5, 'day'), (2, 7, NULL, 'week  '), (3, -3, -3, 'day ');
