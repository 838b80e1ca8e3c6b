INSERT INTO bill(id, net, kind, note) VALUES(1, 100, 'a', 'one'), (2, 250, NULL, NULL), (3, 0, '', 'drei');
