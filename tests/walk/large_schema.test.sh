#!/usr/bin/env bash
# A schema of hundreds of views and triggers, two of them of 80 kB, which ALTER TABLE would read and
# rewrite while it holds the write lock: no step does so for long, and every row of sqlite_master that
# is the application's stays what and where it was. Compared with SQLite's own ALTER in the same run.
. "$(dirname "$0")/walk_lib.sh"
db=$work/app.db
m=$build/migrate
export LOCKSTEP_DATABASE=sqlite:$db LOCKSTEP_MIGRATIONS=$work/migrations LOCKSTEP_ENVIRONMENT=test
mkdir -p "$work/migrations/0001_cents" "$work/migrations/0002_rename"
cat >"$work/migrations/0001_cents/migration.json" <<'JSON'
{
  "table": "item",
  "add": {"cents": {"type": "INTEGER", "not_null": true, "check": "cents >= 0"}, "label": {"type": "TEXT"}},
  "forward": {"cents": "CAST(price * 100 AS INTEGER)", "label": "Note"},
  "drop": ["price", "Note"],
  "reverse": {"price": "cents / 100.0", "Note": "label"},
  "old_writes_idle": "0s"
}
JSON
cat >"$work/migrations/0002_rename/migration.json" <<'JSON'
{"table": "old_log", "rename_table": "new_log", "old_writes_idle": "0s"}
JSON
# long_trigger NAME TABLE FIRST: a trigger of about 80 kB
long_trigger() {
    printf 'CREATE TRIGGER %s BEFORE INSERT ON %s BEGIN\n%s' "$1" "$2" "$3"
    for i in $(seq 450); do
        printf "  SELECT RAISE(ABORT, 'rule %d of this table says that it cannot be so, and that is that') WHERE NEW.kind = 'k%d' AND NEW.size NOT IN (SELECT size FROM part WHERE kind = 'k%d' AND weight > %d);\n" "$i" "$i" "$i" "$i"
    done
    echo 'END;'
}
{
    echo "CREATE TABLE item(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, [price] REAL NOT NULL, \"Note\" TEXT, kind);"
    echo "CREATE INDEX item_price ON item(price DESC, lower(\"Note\")) WHERE price > 1;"
    echo "CREATE TABLE part(id INTEGER PRIMARY KEY, kind TEXT, size, weight, price);"
    echo "CREATE TABLE old_log(at, what); CREATE TABLE seen(what);"
    long_trigger part_rules part ""
    long_trigger reads_item part "  SELECT RAISE(ABORT, 'no such item') WHERE NEW.kind NOT IN (SELECT name FROM item);
"
    for i in $(seq 100); do
        echo "CREATE VIEW part_$i AS SELECT p.id, p.kind, p.price FROM part AS p WHERE p.weight > $i;"
        echo "CREATE VIEW item_$i AS SELECT i.id, i.name FROM item AS i WHERE i.kind = 'k$i';"
    done
    echo "CREATE VIEW everything AS SELECT * FROM item;"
    echo "CREATE TRIGGER second AFTER INSERT ON item BEGIN INSERT INTO seen VALUES('second'); END;"
    echo "CREATE VIEW in_between AS SELECT 1 AS one;"
    echo "CREATE TRIGGER first AFTER INSERT ON item BEGIN INSERT INTO seen VALUES('first'); END;"
    echo "CREATE VIEW broken AS SELECT a FROM nowhere;"
    echo "INSERT INTO item(name, price, Note, kind) VALUES('a', 1.5, 'x', 'k1'), ('b', 2.25, NULL, 'k2');"
    echo "INSERT INTO old_log VALUES(1, 'one'); DELETE FROM seen;"
} | sqlite3 -bail "$db" || exit 1
theirs() { sql "SELECT rowid, * FROM sqlite_master WHERE type IN ('view', 'trigger') AND name NOT LIKE 'lockstep%' ORDER BY rowid" | sha256sum; }
schema() { sql "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'lockstep%' AND name NOT LIKE 'd1_%' AND name NOT LIKE 'sqlite_%' ORDER BY type, name"; }
order() { sql "INSERT INTO item(id, name, $1, kind) VALUES(99, 'c', 3, 'k3'); DELETE FROM item WHERE id = 99; SELECT group_concat(what) FROM seen; DELETE FROM seen"; }
# The longest hold of the steps that the last command reported, in microseconds.
longest() { jq '[.steps[].hold_ms] | max * 1000 | floor' <<<"$said"; }

# What SQLite itself takes, on a copy without the view that it could not read.
engine_us() {
    local worst=0 from took
    sqlite3 "$work/copy.db" "DROP VIEW broken"
    for _ in 1 2 3; do
        from=$(date +%s%N)
        sqlite3 -bail "$work/copy.db" "BEGIN; ALTER TABLE item RENAME COLUMN price TO other_price; ROLLBACK;" || exit 1
        took=$((($(date +%s%N) - from) / 1000))
        [ "$took" -gt "$worst" ] && worst=$took
    done
    echo "$worst"
}
cp "$db" "$work/copy.db"
engine=$(engine_us)
# short WHAT: no step of it held the lock for as long as SQLite's one statement takes (a tenth is usual;
# with its ALTER TABLEs inside, each step that has any took twice as long)
short() {
    local held
    held=$(longest)
    echo "$1: longest hold $held us, one ALTER TABLE of SQLite $engine us"
    same "$1 is short" 1 "$((held < engine))"
}
first_schema=$(schema) first_theirs=$(theirs) first_order=$(order price)
same "triggers fire in an order" "2" "$(tr ',' '\n' <<<"$first_order" | sort -u | wc -l)"
from=$(date +%s%N)
exits "plan" 0 "$m" plan --json
echo "plan: $((($(date +%s%N) - from) / 1000000)) ms"
planned() { jq --arg phase "$1" '[.migrations[] | .phases[] | select(.phase == $phase) | .longest_hold_ms] | max' <<<"$said"; }
same "plan tells what the schema adds to expand" 1 "$(($(planned expand) > 10 && $(planned expand) < 50))"
same "and to contract" 1 "$(($(planned contract) > 10 && $(planned contract) < 50))"
for state in expanded in-sync contracted; do
    exits "to $state" 0 "$m" apply --to $state --json
    short "to $state"
    same "$state: views and triggers are what and where they were" "$first_theirs" "$(theirs)"
done
same "contracted: the order of triggers" "$first_order" "$(order cents)"
for migration in 0002 0001; do
    exits "$migration back" 0 "$m" rollback --json
    short "$migration back"
done
same "back: the schema, byte by byte" "$first_schema" "$(schema)"
same "back: and in its places" "$first_theirs" "$(theirs)"
same "back: the order of triggers" "$first_order" "$(order price)"
exits "to the end" 0 "$m" apply --to purged --recovery-point none --json
short "to the end"
same "purged: views and triggers are what and where they were" "$first_theirs" "$(theirs)"
same "purged: the order of triggers" "$first_order" "$(order cents)"
same "sound" ok "$(sql "PRAGMA integrity_check")"
refused=$(sql "INSERT INTO part(kind) VALUES('nowhere')")
case $refused in *"no such item"*) same "the long triggers work" 1 1 ;; *) same "the long triggers work" "no such item" "$refused" ;; esac

# What reads the table and names the column stays, for SQLite to rewrite: where that takes long, plan
# says so, and nobody does it who was not asked to.
rm -f "$db"* && rm -rf "$work/migrations/0002_rename"
{
    echo "CREATE TABLE item(id INTEGER PRIMARY KEY, price REAL NOT NULL, Note TEXT); CREATE TABLE part(kind, size, weight);"
    long_trigger names_it part "  SELECT RAISE(ABORT, 'too dear') WHERE NEW.size > (SELECT max(price) FROM item);
"
    echo "INSERT INTO item VALUES(1, 2, 'x');"
} | sqlite3 -bail "$db"
exits "in-sync beside a long trigger" 0 "$m" apply --to in-sync
exits "plan beside a long trigger" 0 "$m" plan --json
same "plan says what the rewriting takes" 1 "$(($(planned contract) > 150))"
insist="--override-gate nothing-depends-on-old --reason tried"
exits "no long hold by itself" 3 "$m" apply --to contracted $insist
says "it says how long, and how" "*keep other writers out for about*50 are allowed*--maintenance permits it*"
same "nothing is done" in-sync "$("$m" status --json | jq -r '.migrations[0].state')"
exits "with --maintenance" 0 "$m" apply --to contracted --maintenance $insist
case $(sql "SELECT sql FROM sqlite_master WHERE name = 'names_it'") in *'max(lockstep_1_price)'* | *'max("lockstep_1_price")'*) same "SQLite rewrote it" 1 1 ;; *) same "SQLite rewrote it" 1 0 ;; esac
exits "no long hold on the way back" 3 "$m" rollback
exits "but with --maintenance" 0 "$m" rollback --maintenance
said=$(sql "INSERT INTO part(size) VALUES(3)")
says "it works as before" "*too dear*"

# What depends on the column through a view is the engine's to refuse, and nothing is changed.
rm -f "$db"*
sqlite3 "$db" "CREATE TABLE item(id INTEGER PRIMARY KEY, price REAL NOT NULL, Note TEXT); INSERT INTO item VALUES(1, 2, 'x');
    CREATE VIEW everything AS SELECT * FROM item; CREATE VIEW far AS SELECT id FROM (SELECT 1 AS id);
    CREATE VIEW over AS SELECT price FROM everything; CREATE TRIGGER t AFTER DELETE ON item BEGIN SELECT 1; END"
exits "in-sync below a view over a view" 0 "$m" apply --to in-sync
before=$(sql "SELECT rowid, * FROM sqlite_master")
exits "contract is refused" 2 "$m" apply --to contracted
says "contract names the view" "*error in view over after rename*price*"
same "nothing was changed" "$before" "$(sql "SELECT rowid, * FROM sqlite_master")"
sql "DROP VIEW over"
exits "and goes without it" 0 "$m" apply --to contracted
# Nor does a step break what only counts the table's columns.
sql "CREATE VIEW counts AS SELECT * FROM item UNION ALL SELECT 1, 2, 3, 4, 5"
exits "purge is refused" 2 "$m" apply --to purged --recovery-point none
says "purge names the view" "*counts*"
same "still contracted" contracted "$("$m" status --json | jq -r '.migrations[0].state')"
rm -f "$db"*
sqlite3 "$db" "CREATE TABLE item(id INTEGER PRIMARY KEY, price REAL NOT NULL, Note TEXT); CREATE TABLE part(a); INSERT INTO item VALUES(1, 2, 'x');
    CREATE TRIGGER makes AFTER INSERT ON part BEGIN INSERT INTO item VALUES(NULL, NEW.a, 'made'); END"
exits "expand is refused" 2 "$m" apply --to expanded
says "expand names the table whose trigger would break" "*5 columns but 3 values*\"part\"*"
same "the trigger works" 2 "$(sql "INSERT INTO part VALUES(3); SELECT count(*) FROM item")"
finish
