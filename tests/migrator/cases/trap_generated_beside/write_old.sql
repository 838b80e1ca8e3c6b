INSERT INTO bill(net, kind, note) VALUES(300, 'old', 'vier');
UPDATE bill SET net = net + 1, kind = 'b' WHERE id = 1;
