INSERT INTO contact(note) VALUES('old');
UPDATE contact SET phone = NULL WHERE id = 2;
UPDATE contact SET phone = '1 2', fax = NULL WHERE id = 3;
