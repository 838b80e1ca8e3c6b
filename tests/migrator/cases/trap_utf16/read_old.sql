SELECT id, w, length(w) FROM word ORDER BY 1;
