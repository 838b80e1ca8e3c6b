REPLACE INTO seat(id, hall, no, guest) VALUES(9, 'red', 1, 'eve@w');
UPDATE OR REPLACE seat SET hall = 'gold' WHERE id = 4;
INSERT INTO seat(hall, no, guest) VALUES('red', 2, 'fay@v') ON CONFLICT(hall, no) DO UPDATE SET guest = excluded.guest;
