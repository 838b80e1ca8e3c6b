INSERT INTO price(sku, region, cents) VALUES('late', 'eu', 1); UPDATE price SET region = 'moved', cents = 5 WHERE sku = 'z';
