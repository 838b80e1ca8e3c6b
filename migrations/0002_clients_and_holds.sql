-- How a client gets its answers, and who took a hold and is still there.

ALTER TABLE client ADD COLUMN kind TEXT NOT NULL DEFAULT 'sdk'; -- or 'ofrep': evaluates here

ALTER TABLE tie ADD COLUMN hold_owner TEXT NOT NULL DEFAULT '';
ALTER TABLE tie ADD COLUMN hold_taken_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tie ADD COLUMN hold_renewed_ms INTEGER NOT NULL DEFAULT 0; -- its owner's last word
