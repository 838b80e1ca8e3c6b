#!/usr/bin/env bash
# `migrate plan` of a whole folder: what follows migrations that are not done is planned on the schema
# that they leave behind, nothing is touched, and what plan says is what apply then does.
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../../build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
m=$build/migrate
work=$(mktemp -d "${TMPDIR:-/tmp}/plan.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset LOCKSTEP_DATABASE LOCKSTEP_MIGRATIONS LOCKSTEP_ENVIRONMENT LOCKSTEP_FLAG_SERVER LOCKSTEP_TOKEN
passed=0 failed=0
same() { # WHAT EXPECTED SEEN
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL %s\n  expected: %s\n  seen:     %s\n' "$1" "$2" "$3"
    fi
}
plan() { "$m" plan -d "$1" --json "${@:2}" >plan.json 2>err; }
of() { jq -r --arg name "$1" ".migrations[] | select(.name == \$name) | $2" plan.json; }
phases() { of "$1" '[.phases[].phase] | join(" ")'; }
notes() { of "$1" '.notes[]'; }
has() { # WHAT PATTERN TEXT
    # shellcheck disable=SC2254
    case $3 in $2) passed=$((passed + 1)) ;; *) failed=$((failed + 1)); printf 'FAIL %s\n  wanted: %s\n  seen:   %s\n' "$1" "$2" "$3" ;; esac
}
ours() { sqlite3 "$1" "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'lockstep%' AND name NOT LIKE 'd1_%' AND name NOT LIKE 'sqlite_%' ORDER BY 1, 2"; }
four="expand dual-write backfill and verify contract"

mkdir -p migrations/0003_split migrations/0004_more
cat >migrations/0001_customer.sql <<'SQL'
CREATE TABLE customer(id INTEGER PRIMARY KEY, email TEXT NOT NULL);
CREATE TABLE log(id INTEGER PRIMARY KEY, line TEXT);
SQL
echo 'ALTER TABLE customer ADD COLUMN note TEXT; CREATE INDEX by_note ON customer(note);
      UPDATE customer SET note = upper(email)' >migrations/0002_note.sql
cat >migrations/0003_split/migration.json <<'JSON'
{
  "table": "customer",
  "add": {"domain": {"type": "TEXT", "not_null": true}, "mailbox": {"type": "TEXT", "not_null": true}},
  "forward": {"mailbox": "substr(email, 1, instr(email, '@') - 1)", "domain": "substr(email, instr(email, '@') + 1)"},
  "drop": ["email"],
  "reverse": {"email": "mailbox || '@' || domain"},
  "valid_old": "instr(email, '@') > 1",
  "old_writes_idle": "0s"
}
JSON
cat >migrations/0004_more/migration.json <<'JSON'
{"table": "Customer", "add": {"tld": {"type": "TEXT"}}, "forward": {"tld": "substr(domain, -3)"},
 "drop": ["note"], "reverse": {"note": "tld"}, "lossy": true, "old_writes_idle": "0s"}
JSON
echo 'CREATE VIEW tlds AS SELECT tld FROM customer' >migrations/0005_view.sql

# An absent database, planned whole; apply then does just that.
plan new.db --create
same "absent: plan" 0 $?
same "absent: no file was made" no "$([ -e new.db ] && echo yes || echo no)"
same "absent: all of the folder" 5 "$(jq '.changes' plan.json)"
same "absent: straight to the end" fresh "$(phases 0003_split)"
same "absent: the one behind it too" fresh "$(phases 0004_more)"
has "absent: said" "*made by a migration before it*" "$(notes 0003_split)"
jq -r '.migrations[].phases[].statements[] + ";"' plan.json >all.sql
sqlite3 -bail by-hand.db <all.sql
same "absent: the statements run" 0 $?
"$m" apply -d new.db --create >/dev/null 2>err
same "absent: apply" 0 $?
same "absent: apply made what was planned" "$(ours by-hand.db)" "$(ours new.db)"
plan new.db --exit-code
same "absent: nothing is left" 0 $?

# Rows in the table: every phase of both, the second on what the first leaves.
sqlite3 old.db "CREATE TABLE customer(id INTEGER PRIMARY KEY, email TEXT NOT NULL);
                CREATE TABLE log(id INTEGER PRIMARY KEY, line TEXT);
                INSERT INTO customer(email) VALUES('a@b.example'), ('c@d.example'), ('nobody')"
mv migrations/0001_customer.sql .
sum=$(md5sum <old.db)
plan old.db --exit-code
same "rows: changes" 5 $?
same "rows: the database is untouched" "$sum" "$(md5sum <old.db)"
same "rows: the first" "$four" "$(phases 0003_split)"
same "rows: the second" "$four" "$(phases 0004_more)"
same "rows: counted today" 3 "$(of 0004_more '.phases[] | select(.phase == "contract").rows')"
has "rows: said" "*row counts and times come from today's table*" "$(notes 0004_more)"
has "rows: who waits" "*waits until 0003_split is purged*" "$(notes 0004_more)"
has "rows: plain SQL waits too" "*waits until 0003_split is purged*" "$(notes 0005_view.sql)"
before=$(of 0003_split '.phases[] | [.phase, .digest] | join(" ")')
"$m" apply -d old.db 0002 >/dev/null 2>err
plan old.db
same "rows: the digests hold after what comes before" "$before" "$(of 0003_split '.phases[] | [.phase, .digest] | join(" ")')"
has "rows: counted against valid_old now" "*1 rows are outside valid_old*" "$(notes 0003_split)"

# In flight: the way to its end is played, edits of the table's text included.
sqlite3 old.db "DELETE FROM customer WHERE email = 'nobody'"
for state in expanded dual-writing in-sync contracted; do
    "$m" apply -d old.db 0003 --to $state >/dev/null 2>err
    same "$state: apply" 0 $?
    plan old.db
    same "$state: plan" 0 $?
    same "$state: what follows" "$four" "$(phases 0004_more)"
    has "$state: who waits" "*waits until 0003_split is purged*" "$(notes 0004_more)"
    digest=$(of 0004_more '.phases[0].digest')
done
"$m" apply -d old.db 0003 --to purged --recovery-point none >/dev/null 2>err
plan old.db
same "purged: what was planned stands" "$digest" "$(of 0004_more '.phases[0].digest')"
same "purged: nothing waits" "" "$(notes 0004_more | grep waits)"

# Rows that a pending file puts in: no short way.
mkdir -p seed/0002_split
{ cat 0001_customer.sql; echo "INSERT INTO customer(email) VALUES('a@b.example');"; } >seed/0001_customer.sql
cp migrations/0003_split/migration.json seed/0002_split/
plan seed.db --create -m seed
same "seeded: walked" "$four" "$(phases 0002_split)"

# What cannot run is said before anything runs.
mkdir bad
cp 0001_customer.sql bad/
echo 'CREATE INDEX i ON customer(email); CREATE INDEX j ON customer(emial)' >bad/0002_index.sql
plan bad.db --create -m bad
same "bad SQL: wrong input" 2 $?
has "bad SQL: where" "0002_index.sql: statement 2 of 2: *emial*" "$(jq -r .error.message plan.json)"
echo 'CREATE VIEW v AS SELECT email FROM customer' >bad/0002_index.sql
mkdir bad/0003_split bad/0004_more
cp migrations/0003_split/migration.json bad/0003_split/
cp migrations/0004_more/migration.json bad/0004_more/
sed -i 's/"note"/"email"/g' bad/0004_more/migration.json
plan bad.db --create -m bad
has "a view in the way: said" "*fails until these change: *v*" "$(notes 0003_split)"
has "a view in the way: what follows" "*on a copy of the schema these fail (0003_split: *" "$(notes 0004_more)"

# A schema that no copy can be made of whole is planned as far as it goes.
sqlite3 odd.db "CREATE TABLE customer(id INTEGER PRIMARY KEY, email TEXT NOT NULL, note TEXT);
                INSERT INTO customer(email) VALUES('a@b.example');
                CREATE VIRTUAL TABLE words USING fts5(word);
                PRAGMA writable_schema = ON;
                INSERT INTO sqlite_master(type, name, tbl_name, rootpage, sql)
                VALUES('table', 'shape', 'shape', 0, 'CREATE VIRTUAL TABLE shape USING no_such_module(a)')"
echo "CREATE TABLE extra(id INTEGER PRIMARY KEY)" >migrations/0002_note.sql
plan odd.db
same "odd schema: plan" 0 $?
same "odd schema: all phases" "$four" "$(phases 0003_split)"
# A column that stays and is read by forward: which of two writers wins.
kept() { # FILE: its notes, and what is in the row after new code wrote the new column, then the other one
    rm -rf kept.db* kept
    mkdir -p kept/0001_kept
    cat >kept/0001_kept/migration.json
    sqlite3 kept.db "CREATE TABLE t(id INTEGER PRIMARY KEY, first TEXT, last TEXT); INSERT INTO t(first, last) VALUES('a', 'b')"
    kept=$("$m" plan -d kept.db -m kept -e test)
    "$m" apply -d kept.db -m kept -e test --to in-sync >/dev/null 2>&1
    sqlite3 kept.db "UPDATE t SET whole = 'aX'; UPDATE t SET last = 'c'"
    same "$1" "$2" "$(sqlite3 kept.db "SELECT whole FROM t")"
}
kept "kept: what forward gives wins" ac <<<'{"table": "t", "add": {"whole": {"type": "TEXT"}}, "forward": {"whole": "first || last"}}'
has "kept: said" "*whole is made from what stays: until contract an UPDATE of first or last makes whole anew*" "$kept"
kept "kept: what new code wrote wins" aX <<<'{"table": "t", "add": {"whole": {"type": "TEXT"}}, "forward": {"whole": "first || last"},
    "drop": ["first"], "reverse": {"first": "substr(whole, 1, 1)"}}'
has "kept: said" "*whole hangs on last too, which stays: once new code has written whole itself, an UPDATE of last leaves it*" "$kept"

# A row is written as a whole: one that takes longer than a batch may is told, and counted in.
mkdir -p long/0001_long
echo '{"table": "t", "add": {"size": {"type": "INTEGER"}}, "forward": {"size": "length(body)"}}' >long/0001_long/migration.json
sqlite3 long.db "CREATE TABLE t(id INTEGER PRIMARY KEY, body); INSERT INTO t(body) SELECT 'short' FROM pragma_collation_list, pragma_collation_list;
    INSERT INTO t(body) VALUES(zeroblob(12000000)), (NULL)"
plan long.db -m long -e test
same "a long row: the longest hold" 73 "$(of 0001_long '[.phases[].longest_hold_ms] | max')"
has "a long row: said" "*t has rows of 12 MB, and longer ones perhaps (40 were looked at): filling such a row holds the lock for about 72 ms*" "$(notes 0001_long)"
sqlite3 long.db "DELETE FROM t WHERE length(body) > 5"
plan long.db -m long -e test
same "no long row: the longest hold" 15 "$(of 0001_long '[.phases[].longest_hold_ms] | max')"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
