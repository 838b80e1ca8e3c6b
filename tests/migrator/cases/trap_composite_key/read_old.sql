SELECT depot, sku, spot, n FROM stock ORDER BY rowid;
