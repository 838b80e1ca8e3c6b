INSERT INTO word VALUES(1, 'Zed'), (2, 'ß𝄞'), (3, 'a' || char(0) || 'b'), (4, '');
