SELECT o.id, n FROM orders AS o ORDER BY 1; 
