INSERT INTO account("user name") VALUES('ann'), ('BOB'); INSERT INTO account(note) VALUES('by default');
