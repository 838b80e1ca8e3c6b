INSERT INTO account("user name") VALUES('Carl');
INSERT INTO account(note) VALUES('old default');
UPDATE account SET "user name" = 'ANN' WHERE id = 1;
