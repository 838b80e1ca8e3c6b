INSERT INTO "order"([group], `select`) VALUES('g', 1);
