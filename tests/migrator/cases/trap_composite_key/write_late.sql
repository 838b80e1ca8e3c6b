UPDATE stock SET aisle = 'Z' WHERE depot IS NULL;
INSERT INTO stock(depot, sku, aisle, shelf) VALUES(NULL, NULL, 'H', 8);
