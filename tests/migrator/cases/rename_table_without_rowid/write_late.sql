INSERT INTO remark VALUES('late', 1, 'late');
DELETE FROM remark WHERE a = 'w';
