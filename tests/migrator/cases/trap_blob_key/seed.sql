INSERT INTO chunk VALUES(x'00', 1, 'a'), (x'00', 1.5, 'b'), (x'00', '1', 'c'), (x'00ff', x'', NULL), ('00', 2, 'e'), (-1, 2, '');
