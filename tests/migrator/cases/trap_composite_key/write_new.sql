INSERT INTO stock(depot, sku, aisle, shelf) VALUES('new', 3, 'G', 7);
UPDATE stock SET shelf = 70 WHERE depot IS NULL AND n = 7;
UPDATE OR REPLACE stock SET depot = 'west', sku = 2 WHERE depot = 'new';
