INSERT INTO shop(name) VALUES('late');
UPDATE product SET cents = 1 WHERE name = 'fig';
