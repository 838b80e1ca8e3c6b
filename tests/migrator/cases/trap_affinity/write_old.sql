INSERT INTO zip(a, b, c, d, e, f) VALUES('007', '007', '007', '007', '007', '007');
UPDATE zip SET b = '1', f = 1.0 WHERE id = 2;
