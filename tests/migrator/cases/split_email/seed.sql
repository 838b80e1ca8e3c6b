INSERT INTO Customer(Email) VALUES('ann@acme.com'), ('bob@mail.acme.com'), ('@'||'x'), ('odd@@two');
DELETE FROM Customer WHERE Email = '@x';
UPDATE Customer SET Email = 'odd@two' WHERE Email = 'odd@@two';
INSERT INTO Invoice(customer) SELECT CustomerId FROM Customer;
