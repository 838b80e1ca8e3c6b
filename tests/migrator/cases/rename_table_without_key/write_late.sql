DELETE FROM remark WHERE code IS NULL;
INSERT INTO remark(code) VALUES('late');
