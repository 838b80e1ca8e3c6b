CREATE TABLE address(a);
