INSERT INTO note(a) VALUES('old');
INSERT INTO note(id, a) VALUES(40, 'x');
DELETE FROM note WHERE id = 40;
