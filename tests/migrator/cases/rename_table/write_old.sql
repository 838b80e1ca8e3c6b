INSERT INTO note(note, n) VALUES('old', 10);
UPDATE note SET note = 'changed by old' WHERE id = 1;
DELETE FROM note WHERE id = 2;
INSERT OR REPLACE INTO note(id, note, n) VALUES(20, 'c', 5);
