-- What flags of an environment share, segments and layers, and changes that are to be made at a time.

CREATE TABLE piece (
    environment TEXT NOT NULL,
    kind        TEXT NOT NULL, -- segment, layer
    key         TEXT NOT NULL,
    version     INTEGER NOT NULL, -- If-Match
    changed_ms  INTEGER NOT NULL,
    document    TEXT NOT NULL,
    PRIMARY KEY (environment, kind, key)
);

CREATE TABLE schedule (
    id           TEXT PRIMARY KEY NOT NULL,
    environment  TEXT NOT NULL,
    flag         TEXT NOT NULL,
    at_ms        INTEGER NOT NULL,
    not_after_ms INTEGER, -- later than this it is dropped; NULL: it is made whenever the server is up
    actor        TEXT NOT NULL,
    reason       TEXT,
    created_ms   INTEGER NOT NULL,
    state        TEXT NOT NULL, -- pending, done, failed, dropped, cancelled
    ended_ms     INTEGER,
    result       TEXT,          -- why it failed
    document     TEXT NOT NULL  -- what is to be changed
);
CREATE INDEX schedule_by_time ON schedule(state, at_ms);
CREATE INDEX schedule_by_flag ON schedule(environment, flag);
