INSERT INTO tag(id, name, slug, weight) VALUES(1, 'replaced', 'r', NULL);
INSERT INTO tag(name, slug) VALUES('ignored', '2');
UPDATE tag SET name = 'TWO', weight = NULL WHERE id = 2;
UPDATE tag SET slug = '2', name = 'ignored too' WHERE id = 3;
