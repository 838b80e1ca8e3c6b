SELECT id, label, slug, weight FROM tag ORDER BY 1;
