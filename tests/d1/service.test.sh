#!/usr/bin/env bash
# What D1 is besides an engine, over the scripted peer: rows that are charged, time that is bound, values that
# must survive the way, forms that only newer releases have, and imports.
# shellcheck source-path=SCRIPTDIR source=peer_lib.sh
. "$(dirname "$0")/peer_lib.sh"

# ---- rows written are counted as D1 says ----

# Each row writes three, as with two indexes: D1 says so, and so many are counted.
start_peer
exits "plain, with indexes" 0 migrate apply 0001_init.sql
exits "dual-writing, with indexes" 0 migrate apply --to dual-writing
peer weigh 3
exits "the bound is of rows written" 3 migrate apply --to in-sync --rows-written-per-day 400
peer must "SELECT CAST(substr(value, 12) AS INTEGER) BETWEEN 280 AND 400 FROM lockstep_meta WHERE key = 'written'"
peer must "SELECT count(*) BETWEEN 60 AND 134 FROM Customer WHERE Domain IS NOT NULL"

# ---- keys of every kind, as the backfill's place that is stored and read again ----

start_peer
mkdir "$work/keys" "$work/keys/0002_copy"
cat >"$work/keys/0001_keys.sql" <<'SQL'
CREATE TABLE k(a PRIMARY KEY, v) WITHOUT ROWID;
INSERT INTO k WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99) SELECT 9223372036854775807 - i, i FROM n;
INSERT INTO k WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99) SELECT -9223372036854775807 - 1 + i, -9223372036854775807 FROM n;
INSERT INTO k WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99) SELECT i + 0.1, -0.0 FROM n;
INSERT INTO k WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99) SELECT 'it''s' || char(0) || i, char(0) FROM n;
INSERT INTO k WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99) SELECT CAST(x'ff' AS TEXT) || i, CAST(x'c3' AS TEXT) FROM n;
INSERT INTO k WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99) SELECT CAST(i AS BLOB) || x'00ff', x'00' FROM n;
SQL
cat >"$work/keys/0002_copy/migration.json" <<'JSON'
{"description": "copy", "table": "k", "add": {"w": {}}, "forward": {"w": "v"}, "drop": ["v"], "reverse": {"v": "w"}}
JSON
walk_keys() { "$build/migrate" "$@" --database "$url" --migrations "$work/keys"; }
exits "keys of every kind" 0 walk_keys apply 0001
days=0
while said=$(walk_keys apply --to in-sync --rows-written-per-day 113 2>&1); [ $? = 3 ] && [ $((days += 1)) -lt 10 ]; do
    peer sql "UPDATE lockstep_meta SET value = '2020-01-01' || substr(value, 11) WHERE key = 'written'"
done
says "all of them were met" '*verified 600 rows: 0 differ*'
same "in several runs" 5 "$days"
peer must "SELECT count(*) = 600 FROM k WHERE w IS v AND typeof(w) = typeof(v)"

# ---- batches follow the time that D1 reports, and one that it breaks off is cut ----

start_peer
exits "plain, and then slow" 0 migrate apply 0001_init.sql
exits "dual-writing, and then slow" 0 migrate apply --to dual-writing
peer slow 2 700
exits "a backfill of slow rows" 0 migrate apply --to in-sync
says "all of them are there" '*verified 500 rows: 0 differ*'
longest=$(peer longest)
same "no call came near the bound: $longest ms" yes "$([ "$longest" -le 400 ] && echo yes)"

# ---- NOT NULL is loosened by ALTER COLUMN where the engine has it ----

start_peer
peer alters
exits "plain, with a NOT NULL" 0 migrate apply 0001_init.sql
mkdir "$work/aside" && cp -r "$work/migrations/0002_domain" "$work/aside/"
sed -i 's/"drop": \["Email"\], "reverse": {"Email": "[^}]*}/"drop": ["Name"], "reverse": {"Name": "Mailbox"}/; s/"forward": {.*}/"forward": {"Mailbox": "Name", "Domain": "'"''"'"}/' "$work/migrations/0002_domain/migration.json"
exits "plan has the form" 0 migrate plan --sql
says "both ways" '*ALTER TABLE "Customer" ALTER COLUMN "Name" DROP NOT NULL*'
exits "in-sync without it" 0 migrate apply --to in-sync
peer sql "INSERT INTO Customer(Mailbox, Domain) VALUES('new code', '')"
peer must "SELECT count(*) = 1 FROM Customer WHERE Name = 'new code'"
peer must "SELECT \"notnull\" = 0 FROM pragma_table_info('Customer') WHERE name = 'Name'"
exits "and back" 0 migrate rollback
peer must "SELECT sql = 'CREATE TABLE Customer(CustomerId INTEGER PRIMARY KEY, Name TEXT NOT NULL, Email TEXT)' FROM sqlite_master WHERE name = 'Customer'"
exits "and again" 0 migrate apply --to contracted --override-gate old-writes-idle --reason test
rm -r "$work/migrations/0002_domain" && mv "$work/aside/0002_domain" "$work/migrations/" && rmdir "$work/aside"

# ---- what a splitter may take apart goes as a file, if everybody may be kept out ----

start_peer
exits "plain, before an import" 0 migrate apply 0001_init.sql
mkdir "$work/aside" && mv "$work/migrations/0002_domain" "$work/aside/"
printf "CREATE TABLE log(a);\nCREATE TRIGGER noted AFTER INSERT ON Customer begin\n  SELECT 1; SELECT 2;\n  INSERT INTO log VALUES(CASE WHEN NEW.Name = 'x' THEN 1 ELSE 2 END); -- it's noted\nend;\n" >"$work/migrations/0003_trigger.sql"
exits "plan names the hazard" 0 migrate plan
says "which statement, and the way out" '*statement 2 has *--maintenance*import*'
peer fault 0
for _ in {1..30}; do peer fault 11; done
exits "taken apart, and undone" 3 migrate apply
says "the way out is named" '*taken a statement apart*--maintenance sends the file as an import*'
same "nothing was imported" 0 "$(peer imports)"
while [ "$(migrate status >/dev/null 2>&1; peer faults)" != 0 ]; do :; done
for fault in 5 0 6 4 0 3 10; do peer import-fault "$fault"; done
exits "as a file, over a broken way" 0 migrate apply --maintenance
same "it was imported once" 1 "$(peer imports)"
exits "the history has both sides" 0 migrate history
says "begun and applied" '*recovery-point*before import*import*begins*pending -> applied*'
exits "nothing is left to do" 0 migrate apply

if [ -n "${CHECK_FULL-}" ]; then
# Killed before the service was told to begin, and while it is at it: nothing, or all of it.
killed_import() {
    printf "CREATE TRIGGER %s AFTER DELETE ON Customer begin SELECT 1; end;\n" "$1" >"$work/migrations/$2"
    "$build/migrate" apply --maintenance --database "$url" --migrations "$work/migrations" >/dev/null 2>&1 &
    sleep "$3"
    kill -9 $!
    wait $! 2>/dev/null
}
peer import-fault 0
for _ in {1..9}; do peer import-fault 2; done
killed_import before 0004_before.sql 1
same "nothing was imported yet" 1 "$(peer imports)"
exits "the history has its beginning" 0 migrate history
says "and nothing behind it" '*0004_before.sql: import *begins*'
case $said in *'0004_before.sql: pending -> applied'*) same "not applied" no yes ;; esac
migrate unlock --reason test >/dev/null 2>&1
exits "the next run does it" 0 migrate apply --maintenance
peer polls 100000
killed_import behind 0005_behind.sql 1
same "it was carried out" 3 "$(peer imports)"
exits "the next run finds it done" 0 migrate apply --maintenance
same "and does not do it again" 3 "$(peer imports)"
fi
exec {ask}>&- {told}<&-
wait "$peer_pid"
finish
