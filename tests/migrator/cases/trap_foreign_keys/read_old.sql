SELECT id, land, boss, name FROM person UNION ALL SELECT 100 + id, person, day, '-' FROM visit ORDER BY 1;
