UPDATE account SET city = 1 WHERE :range
