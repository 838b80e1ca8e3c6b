INSERT INTO setting(key, value) VALUES('colour', 'green') ON CONFLICT(key) DO UPDATE SET value = excluded.value, upper = 'GREEN';
