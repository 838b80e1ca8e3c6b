SELECT id, orders, text, parent FROM note ORDER BY 1;
