INSERT INTO bill(net, category) VALUES(400, 'new');
UPDATE bill SET category = 'c', note = 'two' WHERE gross = 297;
