INSERT INTO note(orders, text) VALUES(2, 'old');
UPDATE note SET text = 'changed' WHERE id = 1;
