-- The flag server's store. Times are milliseconds since 1970 UTC; documents are canonical JSON.
-- The environment stands in every key, so that one store can hold several.

CREATE TABLE environment (
    name     TEXT PRIMARY KEY NOT NULL,
    epoch    INTEGER NOT NULL, -- a restored store gets a new one; a new epoch always wins
    revision INTEGER NOT NULL  -- grows with each change that a client could see
);

CREATE TABLE flag (
    environment TEXT NOT NULL,
    key         TEXT NOT NULL,
    version     INTEGER NOT NULL, -- If-Match
    revision    INTEGER NOT NULL, -- the environment's when what the flag answers last changed
    changed_ms  INTEGER NOT NULL,
    archived_ms INTEGER,
    document    TEXT NOT NULL,
    PRIMARY KEY (environment, key)
);

CREATE TABLE tie (
    environment TEXT NOT NULL,
    database_id TEXT NOT NULL,
    migration   TEXT NOT NULL,
    flag        TEXT NOT NULL,
    state       TEXT NOT NULL,
    old_variant TEXT NOT NULL,
    new_variant TEXT NOT NULL,
    lease_s     INTEGER NOT NULL,
    label       TEXT NOT NULL, -- the database as people know it, without secrets
    held        INTEGER NOT NULL,
    reported_ms INTEGER NOT NULL,
    PRIMARY KEY (environment, database_id, migration)
);
CREATE INDEX tie_by_flag ON tie(environment, flag);

CREATE TABLE token (
    id         TEXT PRIMARY KEY NOT NULL,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    hash       TEXT NOT NULL UNIQUE, -- SHA-256 of the token, which is stored nowhere
    created_ms INTEGER NOT NULL
);

-- Who reads rulesets, so that a restarted server knows whom a gate has to wait for.
CREATE TABLE client (
    environment TEXT NOT NULL,
    name        TEXT NOT NULL,
    instance    TEXT NOT NULL,
    seen_ms     INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    lease       INTEGER NOT NULL,
    PRIMARY KEY (environment, name, instance)
);

CREATE TABLE audit (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    environment TEXT NOT NULL,
    at_ms       INTEGER NOT NULL,
    actor       TEXT NOT NULL,
    action      TEXT NOT NULL,
    flag        TEXT,
    revision    INTEGER NOT NULL,
    before      TEXT,
    after       TEXT,
    reason      TEXT
);
CREATE INDEX audit_by_flag ON audit(environment, flag, id);
