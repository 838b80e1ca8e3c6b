INSERT INTO remark(note, n) VALUES('new', 11);
UPDATE remark SET day = 'tue' WHERE id = 7;
UPDATE remark SET id = 30 WHERE id = 20;
INSERT OR REPLACE INTO remark(id, note, n) VALUES(31, 'old', 5);
