SELECT id, name FROM job ORDER BY id;
