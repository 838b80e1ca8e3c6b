INSERT INTO s(unit) VALUES('m');
UPDATE s SET qty = NULL WHERE id = 1;
