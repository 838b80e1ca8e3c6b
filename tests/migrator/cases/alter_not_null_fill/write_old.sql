INSERT INTO u(name) VALUES('carl');
UPDATE u SET nick = NULL WHERE id = 1;
INSERT INTO u(name, nick) VALUES('dora', NULL), ('emil', 'e');
