INSERT INTO s(qty, unit, label) VALUES(5, 'l', '5l');
