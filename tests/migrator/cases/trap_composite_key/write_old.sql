INSERT INTO stock(depot, sku, spot) VALUES(NULL, 2, 'D/4');
UPDATE stock SET depot = 'west', spot = 'E/5' WHERE depot IS NULL AND n = 6;
REPLACE INTO stock(depot, sku, spot, n) VALUES('north', 1, 'F/6', 1);
