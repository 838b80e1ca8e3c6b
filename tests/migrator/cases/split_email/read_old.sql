SELECT CustomerId, Email, Company FROM Customer ORDER BY 1;
