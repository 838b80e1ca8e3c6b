INSERT INTO reading(value, unit) VALUES('12', 'K'), ('7', NULL), ('-3', 'C');
