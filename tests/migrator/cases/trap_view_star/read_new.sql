SELECT id, mail FROM everything ORDER BY 1; SELECT email FROM of_other;
