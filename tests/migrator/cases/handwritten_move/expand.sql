-- one address an account
CREATE TABLE address(account INTEGER PRIMARY KEY REFERENCES account(id) ON DELETE CASCADE ON UPDATE CASCADE, city TEXT, street TEXT);
