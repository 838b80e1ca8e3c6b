CREATE TABLE person (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    zip TEXT,
    fax TEXT NOT NULL,
    email TEXT
);
