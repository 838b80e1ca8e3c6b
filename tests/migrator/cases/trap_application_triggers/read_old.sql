SELECT id, title, state, changed FROM task UNION ALL SELECT 100 + n, what, id, '-' FROM audit ORDER BY 1;
