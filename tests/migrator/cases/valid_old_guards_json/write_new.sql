INSERT INTO event(body, kind) VALUES('{"kind": "n"}', 'n');
