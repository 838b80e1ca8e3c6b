SELECT a, k, quote(b) FROM note ORDER BY a, k;
