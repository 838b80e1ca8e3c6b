SELECT id, name, a.city, a.street FROM account LEFT JOIN address AS a ON account = id ORDER BY 1;
