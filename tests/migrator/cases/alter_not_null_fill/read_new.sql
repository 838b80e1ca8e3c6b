SELECT id, name, nick FROM u ORDER BY id;
