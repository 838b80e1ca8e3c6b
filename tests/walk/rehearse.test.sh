#!/usr/bin/env bash
# `migrate rehearse`: the whole walk on a copy, whatever would be found there; the database is only read.
. "$(dirname "$0")/walk_lib.sh"
db=$work/app.db
m=$build/migrate
export LOCKSTEP_DATABASE=$db LOCKSTEP_MIGRATIONS=$work/migrations LOCKSTEP_ENVIRONMENT=test TMPDIR=$work/tmp
mkdir -p "$work/tmp" "$work/migrations/0002_split" "$work/migrations/0003_nick" "$work/migrations/0004_rename" "$work/migrations/0005_updown"
sum() { md5sum <"$db"; }

cat >"$work/migrations/0001_note.sql" <<'SQL'
CREATE TABLE note(id INTEGER PRIMARY KEY, day TEXT UNIQUE);
INSERT INTO note(day) VALUES('mon'), ('tue');
SQL
cat >"$work/migrations/0002_split/migration.json" <<'JSON'
{"table": "customer", "add": {"mailbox": {"type": "TEXT", "not_null": true}, "domain": {"type": "TEXT", "not_null": true}},
 "forward": {"mailbox": "substr(email, 1, instr(email, '@') - 1)", "domain": "substr(email, instr(email, '@') + 1)"},
 "drop": ["email"], "reverse": {"email": "mailbox || '@' || domain"}, "flag": "a-flag",
 "gates": {"contract": "flag.stable_for > duration('24h')"}}
JSON
echo '{"table": "customer", "alter": {"nick": {"not_null": true, "fill": "mailbox"}}}' >"$work/migrations/0003_nick/migration.json"
echo '{"table": "note", "rename_table": "remark"}' >"$work/migrations/0004_rename/migration.json"
echo 'CREATE TABLE c(id INTEGER PRIMARY KEY);' >"$work/migrations/0005_updown/up.sql"
echo 'DROP TABLE c;' >"$work/migrations/0005_updown/down.sql"
sqlite3 "$db" "CREATE TABLE customer(id INTEGER PRIMARY KEY, email TEXT NOT NULL, nick TEXT);
    INSERT INTO customer(email) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT 'm' || i || '@d' || (i % 7) || '.com' FROM n"
before=$(sum)

exits "all of it" 0 "$m" rehearse
says "the copy" "*a copy of *: 1 tables, 5000 rows in *"
says "each way back" "*0002_split: contracted -> in-sync*the way back: equal*0003_nick*the way back: equal, but for NULLs*0004_rename*the way back: equal*0005_updown: pending -> applied*rehearsed*only read*"
same "nothing was changed" "$before" "$(sum)"
same "nothing is left" "" "$(ls "$work/tmp")"
exits "as a document" 0 "$m" rehearse 0002 --json
same "its digest" '["0001_note.sql",null,1],["0002_split","equal",13],true' \
    "$(jq -c '(.migrations[] | [.name, .back, (.steps | length)]), .done' <<<"$("$m" rehearse 0002 --json 2>/dev/null)" | paste -sd,)"

exits "kept" 0 "$m" rehearse 0002 --keep "$work/copy.db"
same "it is where the walk ends" "m1|d1.com" "$(sqlite3 "$work/copy.db" "SELECT mailbox, domain FROM customer WHERE id = 1")"
exits "no file is replaced" 3 "$m" rehearse 0002 --keep "$work/copy.db"
same "and stays" 5000 "$(sqlite3 "$work/copy.db" "SELECT count(*) FROM customer")"
exits "no such migration" 1 "$m" rehearse 0009
exits "no room for the copy" 1 env TMPDIR="$work/none" "$m" rehearse
says "says where" "*--keep*"

# what would be found out on the way
sqlite3 "$db" "INSERT INTO customer(email) VALUES('nobody')"
exits "a row that does not come back" 3 "$m" rehearse
says "is told" "*0002_split*"
sqlite3 "$db" "DELETE FROM customer WHERE email = 'nobody'; CREATE VIEW v AS SELECT email FROM customer"
exits "a view of the old column" 3 "$m" rehearse
says "is named" "*nothing-depends-on-old*"
sqlite3 "$db" "DROP VIEW v"

# in flight, with somebody at work
mkdir -p "$work/hand"
cp "$work/migrations/0001_note.sql" "$work/hand/"
jq 'del(.flag, .gates)' "$work/migrations/0002_split/migration.json" >"$work/0002.json"
cp "$work/0002.json" "$work/migrations/0002_split/migration.json"
exits "really" 0 "$m" apply 0001
exits "in-sync" 0 "$m" apply 0002 --to in-sync
sqlite3 "$db" "INSERT INTO customer(email) VALUES('old@code.now')"
sqlite3 "$db" "UPDATE lockstep_lock SET owner = 'somebody else', expires_at = 9000000000000"
before=$(sum)
exits "from where it is" 0 "$m" rehearse
says "from there" "*0002_split: in-sync -> contracted*0002_split: contracted -> in-sync*the way back: equal*"
same "nothing was changed in flight" "$before" "$(sum)"
same "nor the lock taken" "somebody else" "$(sqlite3 "$db" "SELECT owner FROM lockstep_lock")"

# by hand: a way back that is none
export LOCKSTEP_MIGRATIONS=$work/hand LOCKSTEP_DATABASE=$work/hand.db
sqlite3 "$work/hand.db" "CREATE TABLE a(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO a(v) VALUES('x')"
mkdir -p "$work/hand/0002_hand"
echo '{"table": "a", "handwritten": true}' >"$work/hand/0002_hand/migration.json"
echo 'ALTER TABLE a ADD COLUMN w TEXT;' >"$work/hand/0002_hand/expand.sql"
echo 'UPDATE a SET w = v;' >"$work/hand/0002_hand/contract.sql"
exits "phases without their way back" 0 "$m" rehearse
says "say so" "*the way back: *contract.sql has no .down.sql*"
echo 'UPDATE a SET w = NULL;' >"$work/hand/0002_hand/contract.down.sql"
echo 'CREATE TABLE stray(a);' >"$work/hand/0002_hand/expand.down.sql"
exits "one that leaves another schema" 3 "$m" rehearse
says "is found out" "*another schema*"
echo "ALTER TABLE a DROP COLUMN w; UPDATE a SET v = 'lost';" >"$work/hand/0002_hand/expand.down.sql"
exits "one that loses content" 3 "$m" rehearse
says "is found out too" "*other rows in \"a\"*"
echo 'ALTER TABLE a DROP COLUMN w;' >"$work/hand/0002_hand/expand.down.sql"
exits "a right one" 0 "$m" rehearse
says "is equal" "*the way back: equal*"
same "and all of it was on copies" "x" "$(sqlite3 "$work/hand.db" "SELECT v FROM a")"
finish
