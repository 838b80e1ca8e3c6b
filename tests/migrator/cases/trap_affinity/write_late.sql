UPDATE zip SET a2 = '08', b2 = '08', f2 = NULL WHERE id = 3;
