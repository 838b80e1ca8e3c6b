INSERT INTO fact(content, number, ratio) VALUES('1', 7, '7');
UPDATE fact SET content = '2', ratio = 2 WHERE id = 2;
