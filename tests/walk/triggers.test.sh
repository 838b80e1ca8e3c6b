#!/usr/bin/env bash
# Somebody drops or changes one of our triggers, also where the rows alone do not show it; and the
# database is locked by a program that is no migrator.
. "$(dirname "$0")/walk_lib.sh"
db=$work/app.db
m=$build/migrate
export LOCKSTEP_DATABASE=$db LOCKSTEP_MIGRATIONS=$work/migrations LOCKSTEP_ENVIRONMENT=test
mkdir -p "$work/migrations/0001_label"
echo '{"table": "item", "add": {"label": {"type": "TEXT"}}, "forward": {"label": "upper(name)"}, "old_writes_idle": "0s"}' \
    >"$work/migrations/0001_label/migration.json"
sqlite3 "$db" "PRAGMA journal_mode = WAL; CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO item(name) VALUES('a'), ('b')" >/dev/null
state() { "$m" status --json 2>/dev/null | jq -r '.migrations[0].state'; }

exits "in-sync" 0 "$m" apply --to in-sync
sql "DROP TRIGGER lockstep_1_forward_insert; INSERT INTO item(name) VALUES('c')"
exits "verify sees it" 3 "$m" verify
says "verify names it" "*fell back to dual-writing*lockstep_1_forward_insert*was dropped by somebody*"
same "dual-writing" dual-writing "$(state)"
exits "apply mends it" 0 "$m" apply --to in-sync
same "it is there" 1 "$(sql "SELECT count(*) FROM sqlite_master WHERE name = 'lockstep_1_forward_insert'")"
same "the row too" C "$(sql "SELECT label FROM item WHERE name = 'c'")"
same "history" yes "$("$m" history | grep -q 'was dropped by somebody' && echo yes)"
sql "DROP TRIGGER lockstep_1_forward_insert; CREATE TRIGGER lockstep_1_forward_insert AFTER INSERT ON item BEGIN SELECT 1; END"
exits "contract sees a changed one" 3 "$m" apply --to contracted
says "contract names it" "*was changed by somebody*"
exits "mended again" 0 "$m" apply --to contracted
exits "and back" 0 "$m" rollback

# A program of the application that holds the write lock.
mkfifo "$work/hold"
sqlite3 "$db" <"$work/hold" >"$work/held" 2>&1 &
holder=$!
exec 5>"$work/hold"
echo "BEGIN IMMEDIATE; SELECT 'held';" >&5
for _ in $(seq 100); do [ -s "$work/held" ] && break; sleep 0.05; done
exits "locked by others" 4 "$m" apply
says "who" "*locked by another program*sqlite3 (pid $holder)*"
exec 5>&-
wait $holder
exits "and when it is done" 0 "$m" apply
finish
