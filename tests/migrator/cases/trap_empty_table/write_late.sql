INSERT INTO queue(kind, name) VALUES('fax', 'cyn');
DELETE FROM queue WHERE kind = 'sms';
