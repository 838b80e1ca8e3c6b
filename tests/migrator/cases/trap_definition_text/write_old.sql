INSERT INTO text(kept) VALUES(7);
UPDATE text SET "first,one" = 'old', last = NULL WHERE id = 2;
