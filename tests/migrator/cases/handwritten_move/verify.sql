SELECT id FROM account LEFT JOIN address ON account = id WHERE account.city IS NOT address.city OR account.street IS NOT address.street
UNION ALL SELECT account FROM address WHERE account NOT IN (SELECT id FROM account)
