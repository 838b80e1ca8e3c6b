SELECT id, w, size, hexed FROM word ORDER BY 1;
