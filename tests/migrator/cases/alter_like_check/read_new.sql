SELECT id, mail FROM a ORDER BY id;
