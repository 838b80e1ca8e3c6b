SELECT Id, Mail FROM Customer ORDER BY Id;
