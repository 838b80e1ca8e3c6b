SELECT id, typeof(value), quote(value), n, typeof(r), quote(r) FROM fact ORDER BY 1;
