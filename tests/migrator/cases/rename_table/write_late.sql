INSERT INTO remark(note, n) VALUES('late', 12);
DELETE FROM remark WHERE id = 1;
UPDATE remark SET note = 'later' WHERE id = -9;
