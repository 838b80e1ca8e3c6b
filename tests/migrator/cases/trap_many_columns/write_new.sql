INSERT INTO wide(c64, email, box, total) VALUES(6, 'new@n', 'new', 6);
UPDATE wide SET c63 = 0 WHERE id = 1;
