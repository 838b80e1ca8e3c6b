SELECT key, value FROM setting ORDER BY 1;
