SELECT id, typeof(content), quote(content), number, typeof(ratio), quote(ratio) FROM fact ORDER BY 1;
