SELECT sku, region, cents FROM price ORDER BY 1, 2;
