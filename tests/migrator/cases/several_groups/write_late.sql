INSERT INTO person(login, postcode, email, email_length, status) VALUES('late', 'L', NULL, NULL, 'active');
UPDATE person SET login = 'bob2' WHERE id = 3;
UPDATE person SET postcode = 'Z' WHERE id = 1;
