DROP TABLE address
