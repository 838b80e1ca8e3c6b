SELECT id, typeof(body), length(CAST(body AS BLOB)), substr(hex(body), 1, 12), typeof(sum), hex(sum), name FROM part ORDER BY 1;
