SELECT rowid, name, born FROM person ORDER BY 1;
