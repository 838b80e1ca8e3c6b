INSERT INTO shop(name) VALUES('old');
DELETE FROM shop WHERE name = 'bread';
UPDATE product SET price = price * 2 WHERE name = 'apple';
