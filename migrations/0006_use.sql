-- When each flag was last asked for, to the hour, as far as the server can know.

CREATE TABLE flag_use (
    environment TEXT NOT NULL,
    key         TEXT NOT NULL,
    at_ms       INTEGER NOT NULL,
    PRIMARY KEY (environment, key)
);
ALTER TABLE environment ADD COLUMN watched_ms INTEGER NOT NULL DEFAULT 0; -- since when that is noted
ALTER TABLE environment ADD COLUMN all_used_ms INTEGER NOT NULL DEFAULT 0; -- by whom nobody knows which
UPDATE environment SET watched_ms = CAST(strftime('%s', 'now') AS INTEGER) * 1000;
