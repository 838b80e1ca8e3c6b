CREATE TABLE seat(id INTEGER PRIMARY KEY, hall TEXT NOT NULL, no INTEGER NOT NULL, guest TEXT, UNIQUE(hall, no));
CREATE UNIQUE INDEX seat_one ON seat(no) WHERE hall = 'gold';
