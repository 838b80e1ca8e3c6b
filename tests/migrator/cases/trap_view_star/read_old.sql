SELECT id, email FROM c ORDER BY 1; SELECT email FROM of_other;
