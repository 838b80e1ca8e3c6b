SELECT k, n, quote(value) FROM kv ORDER BY k, n;
