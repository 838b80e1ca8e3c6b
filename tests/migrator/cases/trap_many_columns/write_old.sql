INSERT INTO wide(c65, email) VALUES(5, 'old@o');
UPDATE wide SET c65 = 66 WHERE id = 1;
UPDATE wide SET email = 'bb@y', tail = 'u' WHERE id = 2;
UPDATE wide SET c80 = 81 WHERE id = 1;
