SELECT _rowid_, code, quote(b), rowid FROM remark ORDER BY 1;
