SELECT id, coalesce(name, 'user ' || id) FROM u ORDER BY id;
