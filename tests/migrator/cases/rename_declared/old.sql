CREATE TABLE account (
  id INTEGER PRIMARY KEY,
  "user name" VARCHAR(40) COLLATE NOCASE CONSTRAINT named NOT NULL DEFAULT 'nobody' CHECK (length("user name") > 0), -- who
  note TEXT
);
CREATE INDEX account_user ON account("user name");
