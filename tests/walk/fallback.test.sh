#!/usr/bin/env bash
# A row that differs while the flag is on: the migration falls back to dual-writing, the flag server is
# told whatever the flag answers, says so in /readyz, lets nobody raise the flag, and after `flags off`
# the walk begins again from there.
. "$(dirname "$0")/walk_lib.sh"
db=$work/app.db
m=$build/migrate
f=$build/flags
export LOCKSTEP_DATABASE=$db LOCKSTEP_MIGRATIONS=$work/migrations LOCKSTEP_ENVIRONMENT=test
mkdir -p "$work/migrations/0001_split"
cat >"$work/migrations/0001_split/migration.json" <<'JSON'
{
  "table": "person",
  "add": {"mailbox": {"type": "TEXT", "not_null": true}, "domain": {"type": "TEXT", "not_null": true}},
  "forward": {"mailbox": "substr(email, 1, instr(email, '@') - 1)", "domain": "substr(email, instr(email, '@') + 1)"},
  "drop": ["email"],
  "reverse": {"email": "mailbox || '@' || domain"},
  "flag": "read-domain",
  "lease_s": 1,
  "old_writes_idle": "1h"
}
JSON
sqlite3 "$db" "PRAGMA journal_mode = WAL; CREATE TABLE person(id INTEGER PRIMARY KEY, email TEXT NOT NULL);
               INSERT INTO person(email) VALUES('a@b.example'), ('c@d.example')" >/dev/null
ready() { curl -s -o "$work/ready" -w '%{http_code}' "$LOCKSTEP_URL/readyz"; }
known() { curl -s -H "Authorization: Bearer $LOCKSTEP_TOKEN" "$LOCKSTEP_URL/api/v1/migrations" | jq -r '.migrations[0].state'; }
state() { "$m" status --json 2>/dev/null | jq -r '.migrations[0].state'; }
# Past the triggers: one is dropped for a moment.
spoil() {
    local saved
    saved=$(sql "SELECT sql FROM sqlite_master WHERE name = 'lockstep_1_reverse_update'")
    sql "DROP TRIGGER lockstep_1_reverse_update; UPDATE person SET domain = 'elsewhere' WHERE id = 1; $saved"
}

init_server
"$f" create read-domain >/dev/null 2>&1
"$f" on read-domain >/dev/null 2>&1
exits "in-sync" 0 "$m" apply --to in-sync
exits "a domain is on" 0 "$f" ramp read-domain --domain b.example --to 100%
same "ready" 200 "$(ready)"

# Found while contract waits for its gate.
"$m" apply --to contracted --wait 60s >"$work/waiting" 2>&1 &
waiting=$!
for _ in $(seq 100); do grep -q 'waits' "$work/waiting" && break; sleep 0.1; done
same "the wait says what for" yes "$(grep -q '0001_split waits .* for: .*flag-on-everywhere' "$work/waiting" && echo yes || cat "$work/waiting")"
spoil
same "the row differs" 1 "$(sql "SELECT count(*) FROM person WHERE email IS NOT mailbox || '@' || domain")"
wait $waiting
same "waiting: refused" 3 $?
said=$(cat "$work/waiting")
says "waiting: what happened and what to do" "*fell back to dual-writing: 1 of 2 rows differ*flags off read-domain*"
same "the database is in dual-writing" dual-writing "$(state)"
same "the server knows" dual-writing "$(known)"
same "the server is not ready" 503 "$(ready)"
same "and says why" yes "$(grep -q "can answer 'on'.*dual-writing" "$work/ready" && echo yes || cat "$work/ready")"
exits "the flag is not raised" 3 "$f" ramp read-domain --to 50%
says "not raised: why" "*dual-writing*"
exits "apply does not go on while new code may run" 3 "$m" apply
says "apply: what goes first" "*flags off read-domain*"
exits "nor back" 3 "$m" rollback
says "back: what goes first" "*flags off read-domain*"
stop_server
start_server
same "a restart keeps it" "503 dual-writing" "$(ready) $(known)"
exits "the flag is turned off" 0 "$f" off read-domain
same "ready again" 200 "$(ready)"
exits "the walk goes on from there" 0 "$m" apply --to in-sync
same "the row is right again, by the old shape" "b.example|d.example" "$(sql "SELECT group_concat(domain, '|') FROM person")"
same "the server knows in-sync" in-sync "$(known)"
exits "the flag is raised again" 0 "$f" on read-domain

# Found by verify while the flag server is away: it is told by the next run.
spoil
url=$LOCKSTEP_URL
stop_server
exits "verify" 3 "$m" verify
says "verify: said" "*fell back to dual-writing*"
same "away: dual-writing" dual-writing "$(state)"
exits "away: status says that it is not known" 0 "$m" status
says "away: who does not know" "*flag server does not know*"
start_server "${url##*:}"
same "back: it believes in-sync" in-sync "$(known)"
exits "back: the next run tells it" 3 "$m" apply
same "back: told" dual-writing "$(known)"
same "back: not ready" 503 "$(ready)"
exits "off" 0 "$f" off read-domain

# Falling back is believed of in-sync alone.
put() {
    curl -s -o "$work/reply" -w '%{http_code}' -X PUT -H "Authorization: Bearer $LOCKSTEP_TOKEN" -H 'Content-Type: application/json' \
        -d "{\"state\": \"$1\", \"fell_back\": $2, \"flag\": {\"key\": \"other\"}}" "$LOCKSTEP_URL/api/v1/migrations/db/0009_other"
}
"$f" create other >/dev/null 2>&1
"$f" on other >/dev/null 2>&1
"$f" ramp other --to 100% >/dev/null 2>&1
same "a migration that is not known: refused" 409 "$(put dual-writing true)"
same "contracted" 200 "$(put contracted false)"
same "from contracted: refused" 409 "$(put dual-writing true)"
same "another state: refused" 409 "$(put expanded true)"
same "and nothing was stored" 200 "$(ready)"
same "in-sync" 200 "$(put in-sync false)"
same "without the word: refused" 409 "$(put dual-writing false)"
same "with it: stored" 200 "$(put dual-writing true)"
same "with it: not ready" 503 "$(ready)"
same "again: the same" 200 "$(put dual-writing true)"
"$f" off other >/dev/null 2>&1
exits "all the way back" 0 "$m" rollback
same "pending" pending "$(state)"
stop_server
finish
