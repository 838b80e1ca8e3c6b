INSERT INTO account(owner) VALUES('a'), ('b');
