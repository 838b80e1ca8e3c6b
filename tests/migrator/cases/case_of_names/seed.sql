INSERT INTO Customer(Email) VALUES('ann'), ('bob');
