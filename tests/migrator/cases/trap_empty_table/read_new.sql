SELECT id, kind, name, due FROM queue ORDER BY 1;
