INSERT INTO Customer(Email, Company) VALUES('old@write.example', 'x');
UPDATE Customer SET Email = 'changed@by.old' WHERE CustomerId = 1;
DELETE FROM Customer WHERE CustomerId = 2;
