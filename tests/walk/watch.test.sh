#!/usr/bin/env bash
# "watch" and "on_failure": a condition that is true in three looks running stops the phase under way,
# which is then paused or taken back, and history says so; one that cannot be answered is not true, and
# that is told.
. "$(dirname "$0")/walk_lib.sh"
db=$work/app.db
m=$build/migrate
export LOCKSTEP_DATABASE=$db LOCKSTEP_MIGRATIONS=$work/migrations LOCKSTEP_ENVIRONMENT=test
unset LOCKSTEP_FLAG_SERVER
mkdir -p "$work/migrations/0001_split"
# begin MEMBERS [ROWS]: the migration with more members, and a table
begin() {
    rm -f "$db" "$db"-*
    jq -n "{table: \"person\", add: {mailbox: {type: \"TEXT\"}}, forward: {mailbox: \"substr(email, 1, instr(email, '@') - 1)\"},
        old_writes_idle: \"0s\"} + $1" >"$work/migrations/0001_split/migration.json"
    sqlite3 "$db" "PRAGMA journal_mode = WAL; CREATE TABLE person(id INTEGER PRIMARY KEY, email TEXT NOT NULL);
        WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < ${2:-100})
        INSERT INTO person SELECT i, 'p' || i || '@d.example' FROM n" >/dev/null
}
state() { "$m" status --json 2>/dev/null | jq -r '.migrations[0].state'; }
slow() { # so that three looks fit into the backfill
    "$m" apply --to dual-writing >/dev/null 2>&1
    "$m" throttle 0.001 >/dev/null 2>&1
}
always='now > timestamp(\"2000-01-01T00:00:00Z\")'
schema() { sql "SELECT sql FROM sqlite_master WHERE name = 'person'"; }

# ---- what is written there ----
for bad in '{watch: 1}' '{watch: {expand: "true"}}' '{watch: "nonsense > 1"}' '{on_failure: "explode"}' '{on_failure: {backfil: "pause"}}' '{watch: {backfill: "1 + 1"}}'; do
    begin "$bad"
    exits "refused: $bad" 2 "$m" plan
done
begin '{watch: "no.fact"}'
exits "an unknown fact" 2 "$m" plan
says "an unknown fact: where" "*watch \"backfill\"*"

# ---- the backfill: paused ----
begin "{watch: {backfill: \"$always\"}}" 30000
slow
exits "backfill: paused" 3 "$m" apply
says "paused: said" "*backfill: what is watched for came true, 3 times running*paused where it is (on_failure)*migrate resume 0001_split*"
same "paused: the state" dual-writing "$(state)"
same "paused: status says it" yes "$("$m" status | grep -qi paused && echo yes || "$m" status)"
same "paused: history" "failure pause" "$("$m" history --json | jq -r '[.events[].event] | map(select(. == "failure" or . == "pause")) | join(" ")')"
exits "paused: the next run does not go on" 3 "$m" apply
says "paused: said again" "*is paused by*"
exits "resumed" 0 "$m" resume 0001_split
same "resumed: it is looked at again" "3 2" "$("$m" apply >/dev/null 2>&1; echo "$?" "$("$m" history --json | jq '[.events[] | select(.event == "failure")] | length')")"

# ---- the backfill: taken back ----
begin "{watch: {backfill: \"$always\"}, on_failure: {backfill: \"rollback\"}}" 30000
before=$(schema)
slow
exits "backfill: taken back" 3 "$m" apply --json
same "back: the message" yes "$(jq -r .error.message <<<"$(sed -n '/^{/,$p' <<<"$said")" | grep -q 'it is pending again (on_failure)' && echo yes || echo "$said")"
same "back: the state" pending "$(state)"
same "back: the schema" "$before" "$(schema)"
same "back: the rows" 30000 "$(sql "SELECT count(*) FROM person")"
same "back: history" yes "$("$m" history | grep -q 'came true' && echo yes)"

# ---- a verification that fails ----
begin "{drop: [\"email\"], reverse: {email: \"mailbox || '@d.example'\"}, on_failure: \"rollback\"}"
sql "INSERT INTO person VALUES(1000, 'x@elsewhere.example')" # cannot be made again
exits "unclean: taken back" 3 "$m" apply
says "unclean: said" "*could not be made from the new shape again*pending again*"
same "unclean: the state" pending "$(state)"

# ---- behind contract ----
begin "{watch: {contract: \"$always\"}, on_failure: {contract: \"rollback\"}}"
exits "contract: watched, and taken back" 3 "$m" apply --to contracted --watch 20s
says "contract: said" "*contract: what is watched for came true*in-sync again*"
same "contract: the state" in-sync "$(state)"
begin "{watch: {contract: \"!($always)\"}}"
exits "contract: watched, and nothing came" 0 "$m" apply --to contracted --watch 1s
says "contract: how often" "*watched * times*true 0 times*"
same "contract: the state stays" contracted "$(state)"

# ---- while a gate is waited for ----
begin "{watch: {contract: \"$always\"}, gates: {contract: \"verify.rows < 0\"}}"
exits "waiting: stopped" 3 "$m" apply --to contracted --wait 30s
says "waiting: said" "*came true*paused*"
same "waiting: the state" in-sync "$(state)"

# ---- a fact that is not there ----
begin '{watch: {contract: "flag.clients_behind > 3"}}'
exits "absent: not true" 0 "$m" apply --to contracted --watch 1s
says "absent: said" "*could not be answered * times (*flag.clients_behind*"
# ---- a batch that fails ----
# The application's own trigger refuses what the backfill of one row would do, and always will.
broken() { # ON_FAILURE
    begin "$1" 1000
    sql "CREATE TABLE log(email TEXT UNIQUE);
         CREATE TRIGGER logs AFTER UPDATE ON person BEGIN INSERT INTO log VALUES(OLD.email); END;
         INSERT INTO log VALUES('p900@d.example')"
    before=$(schema)
    exits "a batch fails ($1)" 3 "$m" apply
    says "a batch: said" "*0001_split: a batch of the backfill failed, and nothing of it was done*UNIQUE*log.email*"
}
broken '{}'
same "a batch: stays where it is" dual-writing "$(state)"
sql "DELETE FROM log"
exits "a batch: mended, it goes on" 0 "$m" apply
broken '{on_failure: "rollback"}'
says "a batch: taken back, said" "*it is pending again (on_failure)*"
same "a batch: taken back" pending "$(state)"
same "a batch: the schema" "$before" "$(schema)"
same "a batch: history" 1 "$("$m" history --json | jq '[.events[] | select(.event == "failure")] | length')"
broken '{on_failure: {backfill: "pause"}}'
says "a batch: paused, said" "*it is paused where it is (on_failure)*"
exits "a batch: paused" 3 "$m" apply
says "a batch: and by what" "*is paused by*a batch of the backfill failed*"
finish
