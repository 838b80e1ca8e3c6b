INSERT INTO remark VALUES('w', 1, NULL), ('w', 2, NULL);
UPDATE remark SET k = 9 WHERE a = 'Z';
UPDATE OR REPLACE remark SET b = 'p' WHERE a = 'w' AND k = 2;
