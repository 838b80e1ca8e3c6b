INSERT INTO event(body, kind) VALUES('{"kind": "late"}', 'late');
