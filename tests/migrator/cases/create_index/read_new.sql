SELECT id, domain FROM customer INDEXED BY customer_domain WHERE domain <> '' ORDER BY id;
