SELECT name FROM account WHERE city IS NULL
