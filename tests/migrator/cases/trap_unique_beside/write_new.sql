REPLACE INTO seat(id, hall, no, who, "of") VALUES(12, 'red', 2, 'gus', 'u');
INSERT INTO seat(hall, no, who, "of") VALUES('red', 1, 'hal', 't') ON CONFLICT(hall, no) DO UPDATE SET who = excluded.who;
INSERT OR IGNORE INTO seat(hall, no, who, "of") VALUES('gold', 7, 'ida', 's');
