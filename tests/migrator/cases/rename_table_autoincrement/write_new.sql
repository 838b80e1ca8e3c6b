INSERT INTO remark(a) VALUES('new');
