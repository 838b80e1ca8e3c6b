SELECT id, name, coalesce(nick, name, '') FROM u ORDER BY id;
