INSERT INTO reading(value, unit) VALUES('40', 'm');
UPDATE reading SET value = '13' WHERE id = 1;
