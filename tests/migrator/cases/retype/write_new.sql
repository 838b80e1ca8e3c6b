INSERT INTO price(sku, region, cents) VALUES('d', 'eu', 250);
UPDATE price SET cents = 101 WHERE sku = 'z';
