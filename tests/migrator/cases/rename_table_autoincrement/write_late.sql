INSERT INTO remark(a) VALUES('late');
DELETE FROM remark WHERE a = 'late';
INSERT INTO remark(a) VALUES('latest');
