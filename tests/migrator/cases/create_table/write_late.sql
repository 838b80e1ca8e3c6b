INSERT INTO note(orders, text) VALUES(2, 'late');
