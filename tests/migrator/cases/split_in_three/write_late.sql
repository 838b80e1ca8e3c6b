INSERT INTO d(y, m, dom) VALUES(2027, 1, 1);
