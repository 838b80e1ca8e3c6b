-- one address an account
CREATE TABLE address(account INTEGER PRIMARY KEY, city TEXT, street TEXT);
