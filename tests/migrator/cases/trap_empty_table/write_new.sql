INSERT INTO queue(kind, name) VALUES('sms', 'bob');
DELETE FROM queue WHERE kind = 'mail';
