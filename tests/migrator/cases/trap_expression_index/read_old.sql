SELECT id, email FROM c WHERE lower(email) = 'a@b' ORDER BY 1; SELECT count(*) FROM c INDEXED BY plain WHERE email COLLATE BINARY > ''; SELECT id, email, kind FROM c ORDER BY 1;
