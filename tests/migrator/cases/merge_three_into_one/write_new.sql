INSERT INTO ver(text) VALUES('10.20.30');
UPDATE ver SET text = '0.9.1' WHERE id = 2;
