SELECT a, k, quote(b) FROM remark ORDER BY a, k;
