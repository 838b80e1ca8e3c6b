SELECT id, typeof(content), length(CAST(content AS BLOB)), substr(hex(content), 1, 12), typeof(digest), hex(digest), name FROM part ORDER BY 1;
