INSERT INTO s(qty, unit) VALUES(1, 'kg'), (NULL, 'g');
