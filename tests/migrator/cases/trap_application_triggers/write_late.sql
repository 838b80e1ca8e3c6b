UPDATE task SET done = 1 WHERE id = 4;
DELETE FROM task WHERE id = 5;
