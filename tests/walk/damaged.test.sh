#!/usr/bin/env bash
# A damaged file is told as one, wherever it is met: by the engine's own check, or under a read of ours.
. "$(dirname "$0")/walk_lib.sh"
m=$build/migrate db=$work/app.db
export LOCKSTEP_ENVIRONMENT=test LOCKSTEP_DATABASE=$db LOCKSTEP_MIGRATIONS=$work/migrations
mkdir -p "$LOCKSTEP_MIGRATIONS/0001_upper"
cat >"$LOCKSTEP_MIGRATIONS/0001_upper/migration.json" <<'JSON'
{"table": "t", "add": {"name2": {"type": "TEXT"}}, "forward": {"name2": "upper(name)"},
 "drop": ["name"], "reverse": {"name": "lower(name2)"}, "lossy": true, "old_writes_idle": "0s"}
JSON
sql "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL;
     CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE other(id INTEGER PRIMARY KEY, x TEXT);
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO t SELECT i, 'Ab' || i FROM n;
     INSERT INTO other SELECT id, printf('%0500d', id) FROM t" >/dev/null
exits "in-sync, with what cannot be made again accepted" 0 "$m" apply --to in-sync
exits "verify" 0 "$m" verify
says "counts what is lost" "*3000 cannot be made from the new shape again: clean"
sqlite3 "$db" "PRAGMA wal_checkpoint(TRUNCATE)" >/dev/null
cp "$db" "$work/good.db"

# damage TABLE: bytes in the middle of one of its pages, told by what stands there
damage() {
    local at
    rm -f "$db"-*
    cp "$work/good.db" "$db"
    at=$(grep -obUa "$1" "$work/good.db" | head -1)
    at=$((${at%%:*} / 4096 * 4096))
    head -c 4096 /dev/zero | tr '\0' '\377' | dd of="$db" bs=1 seek="$at" conv=notrunc 2>/dev/null
}
damage 000000000000000000000700
exits "another table: verify" 3 "$m" verify
says "is told as damage, with what to do" "*the database file is damaged (*age *)*restore it from a recovery point or a backup*"
case $said in *'"lossy": true accepts'*) same "what is accepted already is not asked for" "" "$said" ;; *) same "-" 1 1 ;; esac
exits "another table: contract" 3 "$m" apply --to contracted
says "is told as damage" "*contract waits for: verified: the database file is damaged*restore*"
damage AB700
for command in "verify" "apply --to contracted" "rollback"; do
    # shellcheck disable=SC2086
    exits "the table itself: $command" 1 "$m" $command
    says "is told as damage, with what to do" "*the database file is damaged (*restore it from a recovery point or a backup*"
done
exits "the table itself: status" 0 "$m" status
cp "$work/good.db" "$db"
truncate -s 40000 "$db"
exits "a file that was cut" 1 "$m" verify
says "is told as damage" "*the database file is damaged (*restore*"
cp "$work/good.db" "$db"
exits "the copy is put back: verify" 0 "$m" verify
exits "and it goes on" 0 "$m" apply --to contracted --wait 5s

# Without "lossy" the rows that lose something are named.
rm -f "$db"*
sql "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t VALUES(7, 'low'), (8, 'High')"
sed -i 's/"lossy": true, //' "$LOCKSTEP_MIGRATIONS/0001_upper/migration.json"
exits "what is lost, and was not accepted" 3 "$m" apply --to in-sync
says "its keys are told" '*1 rows could not be made from the new shape again ("lossy": true accepts that) (keys 8)*'
says "and both shapes" "*key 8: name = 'High', name2 = 'HIGH'*"
sed -i 's/"old_writes_idle"/"lossy": true, "old_writes_idle"/' "$LOCKSTEP_MIGRATIONS/0001_upper/migration.json"

# Without a write-ahead log the file is not checked beside writers; that is said.
rm -f "$db"*
cp "$work/good.db" "$db"
sqlite3 "$db" "PRAGMA journal_mode = DELETE" >/dev/null
exits "no write-ahead log: verify" 0 "$m" verify
says "says what was not looked at" "*clean*the file itself was not checked*"
finish
