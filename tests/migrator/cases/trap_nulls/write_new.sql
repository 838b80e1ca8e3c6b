INSERT INTO contact(country) VALUES('33');
UPDATE contact SET area = '9', country = '44' WHERE id = 1;
UPDATE contact SET telefax = NULL WHERE id = 4;
