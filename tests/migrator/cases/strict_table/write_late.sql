INSERT INTO reading(amount, label) VALUES(60, '60 ?');
