INSERT INTO account(login) VALUES('late');
INSERT INTO account(note) VALUES('late default');
