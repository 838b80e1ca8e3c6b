INSERT INTO u(x) VALUES('new');
UPDATE u SET name = NULL WHERE id = 1;
