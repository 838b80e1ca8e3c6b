INSERT INTO tag(id, label, slug) VALUES(3, 'replaced by new', 'n');
INSERT INTO tag(label, slug) VALUES('ignored', 'n');
UPDATE tag SET slug = '2', label = 'ignored too' WHERE id = 1;
