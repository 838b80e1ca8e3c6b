INSERT INTO account(name, city, place) VALUES('new', 'Mainz', 'Mainz');
