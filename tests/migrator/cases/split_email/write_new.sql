INSERT INTO Customer(Mailbox, Domain) VALUES('new', 'write.example');
UPDATE Customer SET Domain = 'by.new' WHERE CustomerId = 4;
