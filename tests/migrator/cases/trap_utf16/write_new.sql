INSERT INTO word(w, size, hexed) VALUES('n', 1, '006E');
