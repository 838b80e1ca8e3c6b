SELECT Id, Email FROM Customer ORDER BY Id;
