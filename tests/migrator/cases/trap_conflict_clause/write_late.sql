INSERT INTO tag(id, label, slug, weight) VALUES(2, 'late', 'l', NULL);
