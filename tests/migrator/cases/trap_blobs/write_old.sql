INSERT INTO part(name, sum) VALUES('the default', x'aa00bb');
UPDATE part SET body = CAST('17' AS TEXT), sum = NULL WHERE id = 4;
