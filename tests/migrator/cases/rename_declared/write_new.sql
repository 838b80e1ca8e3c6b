INSERT INTO account(login) VALUES('dora');
INSERT INTO account(note) VALUES('new default');
UPDATE account SET login = 'bob' WHERE id = 2;
