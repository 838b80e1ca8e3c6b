SELECT id, word FROM edge ORDER BY 1;
