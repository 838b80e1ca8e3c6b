UPDATE account SET city = 1 WHERE :range; DELETE FROM account WHERE :range
