INSERT INTO Customer(Mailbox, Domain) VALUES('late', 'write.example'); UPDATE Customer SET Mailbox = 'later' WHERE CustomerId = 1; DELETE FROM Customer WHERE CustomerId = 4;
