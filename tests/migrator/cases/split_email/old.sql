CREATE TABLE Customer (
    CustomerId INTEGER PRIMARY KEY,
    [Email] NVARCHAR(60) NOT NULL, -- how we reach them
    Company TEXT COLLATE NOCASE DEFAULT 'none, yet'
);
CREATE INDEX customer_email ON Customer(Email);
CREATE INDEX customer_both ON Customer(Company, "Email") WHERE Company <> 'x';
CREATE TABLE Invoice(id INTEGER PRIMARY KEY, customer INTEGER REFERENCES Customer(CustomerId) ON DELETE CASCADE);
