SELECT id, typeof(low), quote(low), typeof(high), quote(high), typeof(any), quote(any) FROM meter ORDER BY 1;
