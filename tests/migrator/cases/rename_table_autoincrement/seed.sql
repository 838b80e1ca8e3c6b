INSERT INTO note(a) VALUES('a'), ('b'), ('c'); DELETE FROM note WHERE id = 3;
