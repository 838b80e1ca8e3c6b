INSERT INTO note(code, b) VALUES('a', 1), ('b', '1'), (NULL, 1.0), (NULL, x'01'); UPDATE note SET _rowid_ = 100 WHERE code = 'b';
