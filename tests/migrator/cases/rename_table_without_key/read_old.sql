SELECT _rowid_, code, quote(b), rowid FROM note ORDER BY 1;
