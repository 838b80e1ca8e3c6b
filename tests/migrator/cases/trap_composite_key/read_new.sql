SELECT depot, sku, aisle, shelf, n FROM stock ORDER BY rowid;
