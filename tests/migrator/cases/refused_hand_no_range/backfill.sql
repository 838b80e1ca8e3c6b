UPDATE account SET city = 1
