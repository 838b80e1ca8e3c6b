-- A flag exists once; what it does it does in each environment.

ALTER TABLE environment ADD COLUMN position INTEGER NOT NULL DEFAULT 0; -- the order of promotion
ALTER TABLE environment ADD COLUMN is_default INTEGER NOT NULL DEFAULT 0; -- where a request names none
ALTER TABLE environment ADD COLUMN dropped_ms INTEGER; -- its name may come again, its epoch may not
UPDATE environment SET is_default = 1;

CREATE TABLE flag_state (
    environment TEXT NOT NULL,
    key         TEXT NOT NULL,
    version     INTEGER NOT NULL, -- If-Match: grows with each change of the flag that is seen here
    revision    INTEGER NOT NULL, -- the environment's when what the flag answers here last changed
    changed_ms  INTEGER NOT NULL, -- of that
    document    TEXT NOT NULL,    -- what is of this environment alone
    PRIMARY KEY (environment, key)
);
INSERT INTO flag_state(environment, key, version, revision, changed_ms, document) SELECT environment, key, version, revision, changed_ms, json_remove(document, '$.key', '$.type', '$.description', '$.owner', '$.tags', '$.expected_end', '$.variants', '$.off_variant', '$.salt', '$.split_salt', '$.bucket_by') FROM flag;

CREATE TABLE flag_whole (
    key         TEXT PRIMARY KEY NOT NULL,
    version     INTEGER NOT NULL,
    created_ms  INTEGER NOT NULL,
    archived_ms INTEGER,
    document    TEXT NOT NULL -- what is the same everywhere
);
INSERT INTO flag_whole(key, version, created_ms, archived_ms, document) SELECT key, version, coalesce((SELECT min(at_ms) FROM audit WHERE audit.environment = flag.environment AND audit.flag = flag.key), changed_ms), archived_ms, json_remove(document, '$.state', '$.individual', '$.domains', '$.rules', '$.fallthrough', '$.uses') FROM flag;
DROP TABLE flag;
ALTER TABLE flag_whole RENAME TO flag;

ALTER TABLE token ADD COLUMN environment TEXT; -- NULL: all of them
UPDATE token SET environment = (SELECT name FROM environment) WHERE role <> 'admin';
