INSERT INTO text("first,one", id, last) VALUES('x', 1, 'y'), ('it''s', 2, NULL), (' ', 3, ')');
