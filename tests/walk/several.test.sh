#!/usr/bin/env bash
# Several migrations in flight on disjoint tables, the way back over several, and --fresh.
. "$(dirname "$0")/walk_lib.sh"
db=$work/app.db
m=$build/migrate
export LOCKSTEP_DATABASE=$db LOCKSTEP_MIGRATIONS=$work/migrations LOCKSTEP_ENVIRONMENT=test
states() { "$m" status --json 2>/dev/null | jq -r '[.migrations[].state] | join(" ")'; }
phased() { # NUMBER TABLE
    mkdir -p "$work/migrations/$1"
    echo "{\"table\": \"$2\", \"add\": {\"label\": {\"type\": \"TEXT\"}}, \"forward\": {\"label\": \"upper(name)\"}, \"old_writes_idle\": \"0s\"}" \
        >"$work/migrations/$1/migration.json"
}
schema() { sql "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'lockstep%' AND name NOT LIKE 'd1_%' AND name NOT LIKE 'sqlite%' ORDER BY 1, 2"; }
mkdir -p "$work/migrations/0004_updown"
echo "CREATE TABLE a(id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE b(id INTEGER PRIMARY KEY, name TEXT);
      INSERT INTO a(name) VALUES('x'); INSERT INTO b(name) VALUES('y');" >"$work/migrations/0001_tables.sql"
phased 0002_a a
phased 0003_b b
echo "CREATE TABLE c(id INTEGER PRIMARY KEY, name TEXT);" >"$work/migrations/0004_updown/up.sql"
echo "DROP TABLE c;" >"$work/migrations/0004_updown/down.sql"
sqlite3 "$db" "CREATE TABLE used(a); INSERT INTO used VALUES(1)"
exits "the tables" 0 "$m" apply 0001
before=$(schema)
exits "both in flight" 0 "$m" apply --to in-sync
same "in-sync both" "applied in-sync in-sync applied" "$(states)"
sql "INSERT INTO a(name) VALUES('p'); INSERT INTO b(name) VALUES('q')"
same "both are kept equal" "P Q" "$(sql "SELECT a.label || ' ' || b.label FROM a, b WHERE a.name = 'p' AND b.name = 'q'")"
exits "one goes on" 0 "$m" apply 0003 --to contracted
same "alone" "applied in-sync contracted applied" "$(states)"
exits "and back alone" 0 "$m" rollback 0002
same "back alone" "applied pending contracted applied" "$(states)"
exits "and forth, out of order by name" 0 "$m" apply 0002 --to in-sync
exits "no such migration either" 1 "$m" rollback --to 0000
exits "no such migration" 1 "$m" rollback --to 0009
exits "nothing behind the last" 3 "$m" rollback --to 0004
exits "all behind 0001" 0 "$m" rollback --to 0001
same "pending all" "applied pending pending pending" "$(states)"
same "the schema is what it was" "$before" "$(schema)"
same "and the rows" "2 2" "$(sql "SELECT (SELECT count(*) FROM a) || ' ' || (SELECT count(*) FROM b)")"
exits "one purged" 0 "$m" apply 0002 --to purged --recovery-point none
exits "one contracted" 0 "$m" apply 0003 --to contracted
exits "nothing is taken back past a purged one" 3 "$m" rollback --to 0001
says "which" "*0002_a is purged and has no way back, so nothing was taken back*"
same "nothing" "applied purged contracted pending" "$(states)"
exits "behind it, yes" 0 "$m" rollback --to 0002
same "behind it" "applied purged pending pending" "$(states)"

# --fresh: a table without a row, in a database that is in use
sql "DELETE FROM b"
exits "planned" 0 "$m" plan 0003 --fresh
says "planned: at once" "*fresh -> purged*"
exits "at once" 0 "$m" apply 0003 --fresh
same "to the end" "applied purged purged pending" "$(states)"
same "no triggers" 0 "$(sql "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'")"
finish
