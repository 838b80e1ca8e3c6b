INSERT INTO event(body) VALUES('{"kind": "logout"}'), ('{broken'), (x'00ff');
UPDATE event SET body = '{' WHERE id = 1;
UPDATE event SET body = '{"kind": "mended"}' WHERE id = 2;
