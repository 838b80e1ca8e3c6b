SELECT id, name, slug, weight FROM tag ORDER BY 1;
