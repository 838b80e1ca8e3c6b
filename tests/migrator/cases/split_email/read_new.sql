SELECT CustomerId, Mailbox, Domain, Company FROM Customer ORDER BY 1;
