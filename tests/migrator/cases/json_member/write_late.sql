INSERT INTO event(body, kind) VALUES('{}', NULL);
