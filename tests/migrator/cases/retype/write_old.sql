INSERT INTO price(sku, region, amount) VALUES('c', 'eu', 7.5);
UPDATE price SET sku = 'z' WHERE sku = 'b';
