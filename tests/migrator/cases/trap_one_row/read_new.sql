SELECT key, value, upper FROM setting ORDER BY 1;
