INSERT INTO s(qty, unit, label) VALUES(6, 'l', '6l');
