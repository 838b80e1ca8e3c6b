INSERT INTO c(email, kind) VALUES('Old', 'o'); UPDATE c SET email = 'a@b' WHERE id = 1;
