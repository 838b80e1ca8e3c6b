SELECT id, word, size FROM edge ORDER BY 1;
