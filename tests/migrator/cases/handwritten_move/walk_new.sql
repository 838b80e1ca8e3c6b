INSERT INTO account(name) VALUES('new $n');
INSERT INTO address(account, city, street) SELECT max(id), 'city $n', 'street $n' FROM account WHERE 1 ON CONFLICT(account) DO UPDATE SET city = excluded.city, street = excluded.street;
UPDATE address SET city = 'moved $n' WHERE account = (SELECT account FROM address ORDER BY account LIMIT 1 OFFSET (SELECT $n * 3 % max(1, count(*)) FROM address));
REPLACE INTO address(account, city) SELECT id, 'replaced $n' FROM account ORDER BY id LIMIT 1 OFFSET (SELECT $n * 5 % max(1, count(*)) FROM account);
UPDATE account SET name = 'named $n' WHERE id = (SELECT id FROM account ORDER BY id LIMIT 1 OFFSET (SELECT $n * 7 % max(1, count(*)) FROM account));
DELETE FROM address WHERE account = (SELECT account FROM address ORDER BY account LIMIT 1 OFFSET (SELECT $n * 11 % max(1, count(*)) FROM address));
UPDATE address SET street = NULL WHERE account IN (SELECT account FROM address WHERE account % 7 = $n % 7 ORDER BY account LIMIT 2);
DELETE FROM account WHERE id = (SELECT id FROM account ORDER BY id LIMIT 1 OFFSET (SELECT $n * 13 % max(1, count(*)) FROM account));
