INSERT INTO d(y, m, dom) VALUES(2026, 11, 21);
UPDATE d SET dom = 6 WHERE id = 2;
