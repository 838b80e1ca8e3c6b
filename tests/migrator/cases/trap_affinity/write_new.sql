INSERT INTO zip(a2, b2, c2, d2, e2, f2) VALUES('0x1F', 0x1F, '+5', '5.', '.5', '5');
UPDATE zip SET b2 = 5, c2 = 5.0 WHERE id = 1;
