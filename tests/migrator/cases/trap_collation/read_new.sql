SELECT id, handle, pad || '|' FROM login ORDER BY 1;
