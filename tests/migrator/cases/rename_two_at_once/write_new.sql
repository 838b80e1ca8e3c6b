INSERT INTO p(alpha, beta) VALUES('n', 9);
UPDATE p SET alpha = 'z' WHERE id = 1;
