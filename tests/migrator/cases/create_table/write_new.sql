INSERT INTO note(orders, text) VALUES(1, 'one'), (3, 'three');
