CREATE TABLE c(id INTEGER PRIMARY KEY, email TEXT COLLATE NOCASE, kind TEXT);
CREATE INDEX by_lower ON c(lower(email), kind DESC);
CREATE INDEX "by kind" ON c(kind) WHERE email IS NOT NULL AND kind <> 'email';
CREATE INDEX plain ON c(email COLLATE BINARY);
