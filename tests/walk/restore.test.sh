#!/usr/bin/env bash
# Recovery points and the way back to them: made before purge and before a rollback that loses what new
# code wrote, never over another file; restored only from a copy of this database, when nobody has it
# open, with the flag server told whatever it believed. And copies that would speak for the original.
. "$(dirname "$0")/walk_lib.sh"
db=$work/app.db
m=$build/migrate
f=$build/flags
export LOCKSTEP_DATABASE=$db LOCKSTEP_MIGRATIONS=$work/migrations LOCKSTEP_ENVIRONMENT=test
mkdir -p "$work/migrations/0001_split" "$work/points"
cat >"$work/migrations/0001_split/migration.json" <<'JSON'
{
  "table": "person",
  "add": {"mailbox": {"type": "TEXT", "not_null": true}, "domain": {"type": "TEXT", "not_null": true}},
  "forward": {"mailbox": "substr(email, 1, instr(email, '@') - 1)", "domain": "lower(substr(email, instr(email, '@') + 1))"},
  "drop": ["email"],
  "reverse": {"email": "mailbox || '@' || domain"},
  "flag": "read-domain",
  "lease_s": 1,
  "old_writes_idle": "0s"
}
JSON
make_db() {
    rm -f "$db" "$db"-*
    sqlite3 "$db" "PRAGMA journal_mode = ${1:-WAL}; CREATE TABLE person(id INTEGER PRIMARY KEY, email TEXT NOT NULL);
        CREATE TABLE other(a); INSERT INTO person(email) VALUES('a@b.example'), ('c@d.example')" >/dev/null
}
known() { curl -s -H "Authorization: Bearer $LOCKSTEP_TOKEN" "$LOCKSTEP_URL/api/v1/migrations" | jq -r '.migrations[0].state'; }
state() { "$m" status --json 2>/dev/null | jq -r '.migrations[0].state'; }
ready() { curl -s -o "$work/ready" -w '%{http_code}' "$LOCKSTEP_URL/readyz"; }

make_db
init_server
"$f" create read-domain >/dev/null 2>&1
"$f" on read-domain >/dev/null 2>&1
exits "in-sync" 0 "$m" apply --to in-sync
cp "$db" "$work/in-sync.db" # an ordinary copy, made by hand while nobody wrote
exits "on" 0 "$f" ramp read-domain --to 100%
exits "contracted" 0 "$m" apply --to contracted --wait 20s
sql "INSERT INTO person(mailbox, domain) VALUES('new', 'code.example')"

# ---- purge makes one where it is told ----
exits "no such folder" 2 "$m" apply --to purged --recovery-dir "$work/nowhere"
says "no such folder: said" "*no folder*nowhere*"
exits "one or the other" 2 "$m" apply --to purged --recovery-dir "$work/points" --recovery-point "$work/x"
echo precious >"$work/precious"
exits "never over a file" 3 "$m" apply --to purged --recovery-point "$work/precious"
same "the file is what it was" precious "$(cat "$work/precious")"
same "nothing moved" contracted "$(state)"
exits "purge" 0 "$m" apply --to purged --recovery-dir "$work/points"
point=$(ls "$work"/points/*)
same "one file, nothing beside it" 1 "$(ls "$work/points" | wc -l)"
same "it is named for what it is" yes "$(case $point in */app.db.before-purge-1-*Z) echo yes ;; *) echo "$point" ;; esac)"
same "history has it" 1 "$("$m" history --json | jq '[.events[] | select(.event == "recovery-point" and .rows > 0 and (.detail | contains("before-purge-1")))] | length')"
same "it is sound and whole" "ok 3" "$(sqlite3 "$point" "SELECT (SELECT * FROM pragma_quick_check) || ' ' || count(*) FROM person")"
exits "it is not taken for the database" 3 "$m" apply -d "$point"
says "not taken: said" "*recovery point*migrate restore*"

# ---- restore ----
sql "INSERT INTO person(mailbox, domain) VALUES('after', 'purge.example'); CREATE TABLE later(x)"
exits "without --yes nothing happens" 3 "$m" restore "$point"
says "what would be lost" "*before purge of 0001_split*person: 4 rows now, 3 in the copy*0001_split purge -> purged*--yes*"
same "as before" "purged 4" "$(state) $(sql "SELECT count(*) FROM person")"
exits "json too" 3 "$m" restore "$point" --json
same "json: tables" '["later","person"]' "$(jq -c '[.loses.tables[].table]' <<<"$said")"
sleep 1000 3<>"$db" &
holder=$!
exits "somebody has it open" 4 "$m" restore "$point" --yes
says "who" "*in use by sleep (pid $holder)*"
kill $holder
wait $holder 2>/dev/null
same "still as before" "purged 4" "$(state) $(sql "SELECT count(*) FROM person")"
printf 'garbage, not a database at all, and long enough to be looked at as one; %.0s' 1 2 3 4 5 6 7 8 9 >"$work/garbage"
exits "garbage" 2 "$m" restore "$work/garbage" --yes
exits "not there" 1 "$m" restore "$work/nothing" --yes
sqlite3 "$work/foreign.db" "CREATE TABLE person(id INTEGER PRIMARY KEY, email TEXT)"
exits "a foreign file" 3 "$m" restore "$work/foreign.db" --yes
LOCKSTEP_FLAG_SERVER='' "$m" apply -d "$work/foreign.db" -m "$work/points" >/dev/null 2>&1
mkdir -p "$work/plain" && echo 'CREATE TABLE z(a);' >"$work/plain/0001_z.sql"
exits "another database" 0 "$m" apply -d "$work/foreign.db" -m "$work/plain"
exits "another database: refused" 3 "$m" restore "$work/foreign.db" --yes
says "another database: said" "*copy of another database*"
exits "itself" 2 "$m" restore "$db" --yes
cp "$point" "$work/damaged"
printf 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' | dd of="$work/damaged" bs=1 seek=4096 conv=notrunc 2>/dev/null
"$m" restore "$work/damaged" --yes >"$work/out" 2>&1
same "a damaged one: refused" yes "$([ $? -ne 0 ] && echo yes || cat "$work/out")"
same "after all of that" "purged 4" "$(state) $(sql "SELECT count(*) FROM person")"
exits "restore" 0 "$m" restore "$point" --yes --reason "purged too early"
same "it is what it was then" "contracted 3" "$(state) $(sql "SELECT count(*) FROM person")"
same "the journal mode too" wal "$(sql "PRAGMA journal_mode")"
same "the set-aside column is there" new@code.example "$(sql "SELECT lockstep_1_email FROM person WHERE mailbox = 'new'")"
same "nothing is left beside it" "" "$(ls "$work" | grep -E 'restoring|\.part')"
same "the flag server knows" contracted "$(known)"
same "history keeps what was undone" "purge restore" "$("$m" history --json | jq -r '[.events[].event] | map(select(. == "purge" or . == "restore")) | join(" ")')"
same "and why" yes "$("$m" history | grep -q 'purged too early' && echo yes)"
same "the lock is free" 0 "$("$m" status --json | jq '[.lock // empty] | length')"
exits "the way back is there again" 0 "$m" rollback --to in-sync
same "with what new code wrote" new@code.example "$(sql "SELECT email FROM person WHERE mailbox = 'new'")"
exits "and forward again" 0 "$m" apply --to contracted --wait 20s

# ---- an older copy was put back by hand, while the server says contracted ----
cp "$work/in-sync.db" "$work/kept.db"
exits "to the end" 0 "$m" apply --to purged --recovery-point none
cp "$work/in-sync.db" "$db" && rm -f "$db"-wal "$db"-shm
same "the database is older" in-sync "$(state)"
exits "apply sees it" 3 "$m" apply
says "apply says it" "*flag server knows 0001_split as purged*in-sync*repair --report*--new-identity*"
exits "rollback sees it" 3 "$m" rollback
exits "no reason" 2 "$m" repair --report
exits "not both" 2 "$m" repair --report --new-identity --reason x
exits "the server is told" 0 "$m" repair --report --reason "restored from last night"
says "told what" "*believed purged*in-sync now*"
same "the server knows" in-sync "$(known)"
exits "once more is harmless" 0 "$m" repair --report --reason again
exits "off" 0 "$f" off read-domain
exits "the way back" 0 "$m" rollback
same "pending" pending "$(state)"

# ---- to a copy from before in-sync, with the flag on: no deadlock ----
exits "dual-writing" 0 "$m" apply --to dual-writing
sqlite3 "$db" "VACUUM INTO '$work/dual.db'"
exits "in-sync again" 0 "$m" apply --to in-sync
exits "on again" 0 "$f" on read-domain
exits "contracted again" 0 "$m" apply --to contracted --wait 20s
exits "restored to dual-writing" 0 "$m" restore "$work/dual.db" --yes
same "dual: both know" "dual-writing dual-writing" "$(state) $(known)"
same "dual: the server says what is wrong" 503 "$(ready)"
exits "dual: the flag can be turned off" 0 "$f" off read-domain
same "dual: ready" 200 "$(ready)"
exits "dual: and on" 0 "$m" apply --to in-sync

# ---- the server is away while it is restored ----
sqlite3 "$db" "VACUUM INTO '$work/in-sync2.db'"
exits "away: on" 0 "$f" on read-domain
exits "away: contracted" 0 "$m" apply --to contracted --wait 20s
url=$LOCKSTEP_URL
stop_server
exits "away: restore" 0 "$m" restore "$work/in-sync2.db" --yes
says "away: said" "*does not know it yet*repair --report*"
start_server "${url##*:}"
same "away: the server believes" contracted "$(known)"
exits "away: the next run tells it" 0 "$m" verify
exits "away: told" 0 "$m" apply --to in-sync
same "away: it knows" in-sync "$(known)"
exits "away: off" 0 "$f" off read-domain
exits "away: back" 0 "$m" rollback

# ---- a rollback that loses what new code wrote ----
make_db DELETE
exits "loses: in-sync" 0 "$m" apply --to in-sync
exits "loses: back, nothing lost" 0 "$m" rollback
same "loses: no copy was needed" 0 "$(ls "$work"/app.db.before-rollback* 2>/dev/null | wc -l)"
exits "loses: in-sync again" 0 "$m" apply --to in-sync
sql "INSERT INTO person(mailbox, domain) VALUES('x', 'UPPER.example')" # forward() would say upper.example
exits "loses: back" 0 "$m" rollback --recovery-dir "$work/points"
point=$(ls "$work"/points/app.db.before-rollback-1-*)
same "loses: it is in the copy" UPPER.example "$(sqlite3 "$point" "SELECT domain FROM person WHERE mailbox = 'x'")"
same "loses: the step says so" yes "$("$m" history | grep -q "recovery point $point" && echo yes)"
exits "loses: restore, journal mode DELETE" 0 "$m" restore "$point" --yes
same "loses: back in expanded" "expanded UPPER.example" "$(state) $(sql "SELECT domain FROM person WHERE mailbox = 'x'")"
exits "loses: none wanted" 0 "$m" rollback --recovery-point none
same "loses: none made" 1 "$(ls "$work"/points/app.db.before-rollback* | wc -l)"

# ---- a copy of the database ----
sql "DELETE FROM person WHERE email LIKE '%UPPER%'"
exits "original: in-sync" 0 "$m" apply --to in-sync
cp "$db" "$work/copy.db"
exits "copy: refused" 3 "$m" rollback -d "$work/copy.db"
says "copy: said" "*copy of $db*--new-identity*"
exits "copy: another environment" 3 "$m" apply -d "$work/copy.db" -e staging
says "copy: environment: said" "*--new-identity --environment staging*"
exits "copy: new identity" 0 "$m" repair -d "$work/copy.db" -e staging --new-identity --reason "a copy for staging"
exits "copy: goes its own way" 0 "$m" rollback -d "$work/copy.db" -e staging
same "original: untouched" in-sync "$(state)"
mv "$db" "$work/moved.db"
exits "moved: goes on" 0 "$m" apply -d "$work/moved.db"
exits "moved: back" 0 "$m" rollback -d "$work/moved.db"
stop_server

# ---- back from contracted ----
export LOCKSTEP_DATABASE=$work/back.db LOCKSTEP_MIGRATIONS=$work/back
unset LOCKSTEP_FLAG_SERVER
mkdir -p "$work/back/0001_rename"
echo '{"table": "t", "rename": {"a": "b"}, "add": {"c": {"type": "INT"}}, "forward": {"c": "7"}, "old_writes_idle": "0s"}' >"$work/back/0001_rename/migration.json"
sqlite3 "$work/back.db" "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t(a) VALUES('x')"
exits "contracted" 0 "$m" apply --to contracted --wait 5s
sqlite3 "$work/back.db" "INSERT INTO t(b, c) VALUES('new', 7)"
exits "back, nothing lost" 0 "$m" rollback
same "back: no copy was needed" 0 "$(find "$work" -name 'back.db.before*' | wc -l)"
exits "contracted again" 0 "$m" apply --to contracted --wait 5s
sqlite3 "$work/back.db" "UPDATE t SET c = 8 WHERE b = 'new'"
exits "back, and something is lost" 0 "$m" rollback
same "back: it is in the copy" 8 "$(sqlite3 "$work"/back.db.before* "SELECT max(c) FROM t")"
finish
