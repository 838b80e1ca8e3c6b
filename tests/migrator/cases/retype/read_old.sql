SELECT sku, region, amount FROM price ORDER BY 1, 2;
