SELECT k, n, quote(v) FROM kv ORDER BY k, n;
