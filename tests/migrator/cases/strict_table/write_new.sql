INSERT INTO reading(amount, label) VALUES(50, '50 ?');
UPDATE reading SET amount = 8, label = '8 ?' WHERE id = 2;
