-- Many domain rules of a flag lie beside its document, which names them by their content
-- (docs/ruleset.md, domain sets). What no document names any more is removed an hour later.

CREATE TABLE domain_shard (
    hash    TEXT PRIMARY KEY NOT NULL, -- SHA-256 of text
    made_ms INTEGER NOT NULL,          -- when somebody sent it last
    text    TEXT NOT NULL
);
