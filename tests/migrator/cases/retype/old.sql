CREATE TABLE price(sku TEXT, region TEXT, amount REAL NOT NULL, PRIMARY KEY(sku, region)) WITHOUT ROWID;
