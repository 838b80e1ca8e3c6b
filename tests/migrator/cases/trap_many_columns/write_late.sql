UPDATE wide SET c64 = 1, total = 67 WHERE id = 1;
