INSERT INTO person(name, zip, fax, email) VALUES('Old', '1', '9', 'old@z');
UPDATE person SET zip = '0000' WHERE id = 1;
UPDATE person SET email = 'longer@x' WHERE id = 3;
