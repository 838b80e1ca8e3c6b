INSERT INTO account(owner) VALUES('c');
UPDATE account SET owner = 'A' WHERE id = 1;
