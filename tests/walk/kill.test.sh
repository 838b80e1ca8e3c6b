#!/usr/bin/env bash
# kill -9 of `migrate apply` in the middle of the backfill, several times, with old code writing; then
# apply again: every row must be there in both shapes, and the walk goes on to the end and back.
. "$(dirname "$0")/walk_lib.sh"
db=$work/app.db
rows=${ROWS:-120000}
m=$build/migrate
export LOCKSTEP_DATABASE=$db LOCKSTEP_MIGRATIONS=$work/migrations LOCKSTEP_ENVIRONMENT=test
mkdir -p "$work/migrations/0001_split"
cat >"$work/migrations/0001_split/migration.json" <<'JSON'
{
  "table": "person",
  "add": {"mailbox": {"type": "TEXT", "not_null": true}, "domain": {"type": "TEXT", "not_null": true}},
  "forward": {
    "mailbox": "substr(email, 1, instr(email, '@') - 1)",
    "domain": "lower(substr(email, instr(email, '@') + 1))"
  },
  "drop": ["email"],
  "reverse": {"email": "mailbox || '@' || domain"},
  "old_writes_idle": "1s"
}
JSON
sqlite3 "$db" "PRAGMA journal_mode = WAL;
CREATE TABLE person(id INTEGER PRIMARY KEY, email TEXT NOT NULL, note TEXT DEFAULT 'x');
CREATE INDEX person_by_email ON person(email);
WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < $rows)
INSERT INTO person(id, email) SELECT i, 'p' || i || '@d' || (i % 97) || '.example' FROM n;" >/dev/null
schema() { sql "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'lockstep%' AND name NOT LIKE 'd1_%' AND name NOT LIKE 'sqlite_%' ORDER BY 1, 2"; }
schema_before=$(schema)

# Old code, all the time: a line is written only after SQLite has acknowledged the row.
(
    i=$rows
    while [ ! -e "$work/stop" ]; do
        i=$((i + 1))
        sqlite3 -bail -cmd '.timeout 10000' "$db" "INSERT INTO person(id, email) VALUES($i, 'w$i@live.example')" 2>>"$work/writer.err" &&
            echo "$i" >>"$work/acks"
        sleep 0.03
    done
) &
writer=$!

kills=0
for round in 1 2 3 4 5 6; do
    "$m" apply --to in-sync >"$work/out.$round" 2>&1 &
    pid=$!
    # shellcheck disable=SC2034
    for wait in $(seq 200); do
        done_rows=$(sql "SELECT count(*) FROM person WHERE mailbox IS NOT NULL" | grep -E '^[0-9]+$' || echo 0)
        [ "$done_rows" -gt $((rows * round / 9)) ] && break
        kill -0 $pid 2>/dev/null || break
        sleep 0.01
    done
    if kill -9 $pid 2>/dev/null; then kills=$((kills + 1)); fi
    wait $pid 2>/dev/null
    same "after kill $round the file is sound" ok "$(sql "PRAGMA quick_check")"
    state=$("$m" status --json 2>/dev/null | jq -r '.migrations[0].state')
    case $state in pending | expanded | dual-writing | in-sync) legal=yes ;; *) legal="no: $state" ;; esac
    same "after kill $round the state is a legal one" yes "$legal"
done
same "some kills hit" yes "$([ $kills -ge 2 ] && echo yes || echo "only $kills")"
for _ in $(seq 60); do # the lock of the killed one expires by itself
    said=$("$m" apply --to in-sync --json 2>"$work/err")
    code=$?
    [ $code -eq 4 ] || break
    sleep 1
done
same "apply goes on" 0 $code
[ $code -eq 0 ] || { echo "$said"; cat "$work/err"; }
same "every row has both shapes" 0 "$(sql "SELECT count(*) FROM person WHERE email IS NOT mailbox || '@' || domain")"
same "the old rows are what they were" "$rows" "$(sql "SELECT count(*) FROM person WHERE id <= $rows AND email = 'p' || id || '@d' || (id % 97) || '.example'")"
touch "$work/stop"
wait $writer
acked=$(wc -l <"$work/acks")
same "every acknowledged write is there" "$acked" "$(sql "SELECT count(*) FROM person WHERE id > $rows AND mailbox = 'w' || id AND domain = 'live.example'")"
same "the writer saw no error" "" "$(cat "$work/writer.err")"
exits "contract" 0 "$m" apply --to contracted --wait 30s
exits "back as far as no writer has to wait" 0 "$m" rollback
same "old code has its table" $((rows + acked)) "$(sql "SELECT count(*) FROM person WHERE email LIKE '%@%.example'")"
exits "all the way back" 0 "$m" rollback --maintenance
same "the schema is as it was" "$schema_before" "$(schema)"
same "every row is there" $((rows + acked)) "$(sql "SELECT count(*) FROM person WHERE email LIKE '%@%.example'")"
finish
