INSERT INTO customer(email) VALUES('ann@x'), (NULL), ('Bob@x');
