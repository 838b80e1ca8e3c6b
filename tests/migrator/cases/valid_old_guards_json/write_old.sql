INSERT INTO event(body) VALUES('{"kind": "logout"}'), ('junk');
UPDATE event SET body = 'junk too' WHERE id = 1;
UPDATE event SET body = '{"kind": "back"}' WHERE id = 1;
UPDATE event SET body = '{}' WHERE body = 'junk';
