UPDATE account SET status = 'blocked' WHERE id = 2;
INSERT INTO account(owner, status) VALUES('d', 'blocked');
