-- 'Zed' stays as old code wrote it, though another group of its row is written.
UPDATE person SET postcode = 'A1' WHERE id = 1;
INSERT INTO person(login, postcode, email, email_length, status) VALUES('new', NULL, 'n@n', 3, 'asleep');
-- The columns of one group alone.
INSERT INTO person(login, email) VALUES('half', NULL);
UPDATE person SET status = 'asleep' WHERE id = 2;
