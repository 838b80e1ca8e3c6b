UPDATE word SET w = 'Q', size = 1, hexed = '0051' WHERE id = 4;
