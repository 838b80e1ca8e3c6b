INSERT INTO person(name) VALUES('Late Comer');
