SELECT id, land, boss, first, last FROM person UNION ALL SELECT 100 + id, person, day, '-', '-' FROM visit ORDER BY 1;
