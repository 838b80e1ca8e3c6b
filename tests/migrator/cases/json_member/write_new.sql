INSERT INTO event(body, kind) VALUES('{"kind": "by new"}', 'by new');
