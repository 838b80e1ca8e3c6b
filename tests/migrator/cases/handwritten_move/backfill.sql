INSERT INTO address(account, city, street) SELECT id, city, street FROM account
WHERE (city IS NOT NULL OR street IS NOT NULL) AND id NOT IN (SELECT account FROM address) AND :range
