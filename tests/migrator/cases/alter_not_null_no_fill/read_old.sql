SELECT id, name FROM u ORDER BY id;
