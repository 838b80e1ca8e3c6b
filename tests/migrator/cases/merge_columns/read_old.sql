SELECT rowid, first, last, born FROM person ORDER BY 1;
