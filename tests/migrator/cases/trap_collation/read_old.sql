SELECT id, name, pad || '|' FROM login ORDER BY 1;
