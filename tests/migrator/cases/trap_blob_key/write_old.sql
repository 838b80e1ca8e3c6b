INSERT INTO chunk(hash, part, note) VALUES(x'', 0, 'old');
UPDATE chunk SET note = 'bbb' WHERE part = 1.5;
UPDATE chunk SET hash = x'01', part = 9 WHERE hash = '00';
