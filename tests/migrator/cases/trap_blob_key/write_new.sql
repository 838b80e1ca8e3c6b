INSERT INTO chunk(hash, part, note, size, mark) VALUES(x'ff', 'x', 'new', 3, 'seen');

UPDATE chunk SET mark = 'it''s' WHERE part = '1';
