SELECT id, mail, kind FROM c ORDER BY 1;
