SELECT id, text FROM t INDEXED BY by_length WHERE length(text) = 3;
