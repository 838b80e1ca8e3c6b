-- The old column's DEFAULT must not win over what new code says.
INSERT INTO job(phase) VALUES('RUNNING');
REPLACE INTO job(id, phase) VALUES(1, 'AGAIN');
