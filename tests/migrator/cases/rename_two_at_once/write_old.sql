INSERT INTO p(a) VALUES('only a');
UPDATE p SET b = 5 WHERE id = 2;
