INSERT INTO remark(code, rowid) VALUES('new', 'r');
UPDATE remark SET code = NULL WHERE code = 'b';
