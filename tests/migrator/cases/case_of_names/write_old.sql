INSERT INTO Customer(email) VALUES('cy'); UPDATE Customer SET EMAIL = 'ANN' WHERE Id = 1;
