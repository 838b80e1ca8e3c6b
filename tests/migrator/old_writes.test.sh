#!/usr/bin/env bash
# Which writes count as old code's: where a migration only drops columns, an insert that says what
# new code's cannot say; never what our own triggers do. And what plan says of the way back before anything is done.
. "$(dirname "$0")/../walk/walk_lib.sh"
m=$build/migrate db=$work/app.db
export LOCKSTEP_ENVIRONMENT=test LOCKSTEP_DATABASE=$db LOCKSTEP_MIGRATIONS=$work/migrations

# counts WHAT yes|no INSERT: whether the statement is recorded as a write of old code
counts() {
    sql "UPDATE lockstep_activity SET written_at = 0; $3" >/dev/null || printf 'FAIL %s\n' "$3"
    same "$1" "$2" "$(sql "SELECT CASE WHEN written_at > 0 THEN 'yes' ELSE 'no' END FROM lockstep_activity")"
}
# one DEFAULT TYPE OTHER: a column with this DEFAULT; OTHER is a value that is not it
one() {
    rm -rf "$db"* "$LOCKSTEP_MIGRATIONS"
    mkdir -p "$LOCKSTEP_MIGRATIONS/0001_drop"
    echo '{"table": "t", "drop": ["gone"], "lossy": true, "old_writes_idle": "1s"}' \
        >"$LOCKSTEP_MIGRATIONS/0001_drop/migration.json"
    sql "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, gone $2 DEFAULT $1); INSERT INTO t(a) VALUES('x')"
    exits "DEFAULT $1: plan" 0 "$m" plan
    exits "DEFAULT $1: in-sync" 0 "$m" apply --to in-sync
}
while IFS='|' read -r value type other; do
    one "$value" "$type" "$other"
    counts "DEFAULT $value ($type): new code's insert" no "INSERT INTO t(a) VALUES('y')"
    counts "DEFAULT $value ($type): NULL" no "INSERT INTO t(a, gone) VALUES('y', NULL)"
    counts "DEFAULT $value ($type): another value" yes "INSERT INTO t(a, gone) VALUES('y', $other)"
    counts "DEFAULT $value ($type): an update" yes "UPDATE t SET gone = $other WHERE id = 1"
done <<'E2'
3|INT|4
-7|INTEGER|7
'x'|TEXT COLLATE NOCASE|'X'
1|TEXT|2
'07'|INT|'x'
'7 up'|NUMERIC|7
1.50|TEXT|1.51
'1'||1
1|REAL|1.5
(((2)))|INT|3
"it's"|TEXT|'its'
plain|TEXT|'Plain'
[a b]|TEXT|'a'
x'00ff'|BLOB|x'00'
TRUE|BOOLEAN|0
NULL|TEXT|'x'
CURRENT_TIMESTAMP|TEXT|'2001-01-01'
E2
one "(random())" INT 0
counts "a computed DEFAULT: nobody knows, so it counts" yes "INSERT INTO t(a) VALUES('y')"
exits "a computed DEFAULT: plan" 0 "$m" plan
says "says what to do" "*computed*--override-gate old-writes-idle*"

# New code goes on inserting, and the gate opens all the same.
one 3 INT 4
sql "INSERT INTO t(a) VALUES('new')"
sleep 2.2
sql "INSERT INTO t(a) VALUES('new again')"
exits "the gate opens beside new code's inserts" 0 "$m" apply --to contracted

# ---- what our own triggers write is nobody's write ----
# types TYPE TYPE FORWARD REVERSE: a column remade as another of another affinity, without a CAST
types() {
    rm -rf "$db"*
    sql "CREATE TABLE t(id INTEGER PRIMARY KEY, n $1, kept TEXT); INSERT INTO t(n) VALUES(1), (2)"
    printf '{"table": "t", "add": {"s": {"type": "%s"}}, "forward": {"s": "%s"}, "drop": ["n"], "reverse": {"n": "%s"}}' \
        "$2" "$3" "$4" >"$LOCKSTEP_MIGRATIONS/0001_drop/migration.json"
    exits "$1 to $2: in-sync" 0 "$m" apply --to in-sync
    counts "$1 to $2: new code's insert" no "INSERT INTO t(s) VALUES('5')"
    counts "$1 to $2: new code's update" no "UPDATE t SET s = '7' WHERE id = 1"
    counts "$1 to $2: old code's update" yes "UPDATE t SET n = 8 WHERE id = 1"
    counts "$1 to $2: old code's insert" yes "INSERT INTO t(n) VALUES(9)"
    same "$1 to $2: all the same" 0 "$(sql "SELECT count(*) FROM t WHERE CAST(n AS TEXT) <> CAST(s AS TEXT)")"
    exits "$1 to $2: verify" 0 "$m" verify
}
types INT TEXT n s
types TEXT INT n s
types NUMERIC TEXT "n || ''" "s || ''"
types REAL REAL "n" "s"
types DECIMAL TEXT "n + 0" "s + 0"

# A dropped column goes on to say what its reverse gives, across affinities too.
rm -rf "$db"*
sql "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, kept TEXT); INSERT INTO t(n, kept) VALUES(1, '1')"
echo '{"table": "t", "drop": ["n"], "reverse": {"n": "kept"}}' >"$LOCKSTEP_MIGRATIONS/0001_drop/migration.json"
exits "INT from TEXT: in-sync" 0 "$m" apply --to in-sync
counts "INT from TEXT: what it is made from changes" no "UPDATE t SET kept = '4' WHERE id = 1"
same "INT from TEXT: it follows" "4|integer" "$(sql "SELECT n, typeof(n) FROM t WHERE id = 1")"
counts "INT from TEXT: old code's update" yes "UPDATE t SET n = 3 WHERE id = 1"

# ---- a NOT NULL that cannot be declared again ----
rm -rf "$db"*
echo '{"table": "t", "drop": ["gone"], "lossy": true}' >"$LOCKSTEP_MIGRATIONS/0001_drop/migration.json"
sql "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, gone TEXT NOT NULL); INSERT INTO t(gone) VALUES('x')"
exits "NOT NULL, dropped without a reverse: plan" 0 "$m" plan
says "says that it closes the way back, and what to write" '*no way back*gone is NOT NULL*"reverse": {"gone": "..."}*'
"$m" apply --to in-sync >/dev/null 2>&1
exits "in-sync: plan" 0 "$m" plan
says "still says so" '*no way back*gone is NOT NULL*'
sql "INSERT INTO t(a) VALUES('new')"
exits "and so it is" 3 "$m" rollback
sed -i "s/\"lossy\": true/\"reverse\": {\"gone\": \"'-'\"}/" "$LOCKSTEP_MIGRATIONS/0001_drop/migration.json"
rm -f "$db"*
sql "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, gone TEXT NOT NULL); INSERT INTO t(gone) VALUES('x')"
exits "with what it says" 0 "$m" plan
case $said in *"no way back"*) same "plan says no such thing" "" "$said" ;; *) same "plan says no such thing" 0 0 ;; esac
"$m" apply --to in-sync >/dev/null 2>&1
sql "INSERT INTO t(a) VALUES('new')"
exits "and the way back is there" 0 "$m" rollback
same "with NOT NULL" 1 "$(sql "SELECT \"notnull\" FROM pragma_table_info('t') WHERE name = 'gone'")"
finish
