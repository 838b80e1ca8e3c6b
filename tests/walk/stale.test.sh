#!/usr/bin/env bash
# Clients that honour no lease close the contract gate and the way below in-sync by name, unless they are
# accepted; and the hold of a run that was killed ends with the next one.
. "$(dirname "$0")/walk_lib.sh"
db=$work/app.db
m=$build/migrate
f=$build/flags
export LOCKSTEP_DATABASE=$db LOCKSTEP_MIGRATIONS=$work/migrations LOCKSTEP_ENVIRONMENT=test
mkdir -p "$work/migrations/0001_split"
cat >"$work/migrations/0001_split/migration.json" <<'JSON'
{
  "table": "person",
  "add": {"mailbox": {"type": "TEXT"}, "domain": {"type": "TEXT"}},
  "forward": {"mailbox": "substr(email, 1, instr(email, '@') - 1)", "domain": "substr(email, instr(email, '@') + 1)"},
  "drop": ["email"],
  "reverse": {"email": "mailbox || '@' || domain"},
  "flag": "read-domain", "lease_s": 1, "old_writes_idle": "0s"
}
JSON
sqlite3 "$db" "CREATE TABLE person(id INTEGER PRIMARY KEY, email TEXT NOT NULL); INSERT INTO person(email) VALUES('a@b.example')"
state() { "$m" status --json 2>/dev/null | jq -r '.migrations[0].state'; }
held() { curl -s -H "Authorization: Bearer $LOCKSTEP_TOKEN" "$LOCKSTEP_URL/api/v1/migrations" | jq -r '.migrations[0].held'; }

init_server
"$f" create read-domain >/dev/null 2>&1
"$f" on read-domain >/dev/null 2>&1
exits "in-sync" 0 "$m" apply --to in-sync
web=$(curl -s -X POST -H "Authorization: Bearer $LOCKSTEP_TOKEN" -H 'Content-Type: application/json' \
    -d '{"name": "web-page", "role": "sdk-client"}' "$LOCKSTEP_URL/api/v1/tokens" | jq -r .token)
same "the page evaluates" 200 "$(curl -s -o /dev/null -w '%{http_code}' -X POST -H "Authorization: Bearer $web" -H 'Content-Type: application/json' \
    -d '{"context": {"targetingKey": "u"}}' "$LOCKSTEP_URL/ofrep/v1/evaluate/flags/read-domain")"
exits "on" 0 "$f" ramp read-domain --to 100%
# A process that asked once and was killed: it may come back with what it was told.
same "a worker polls" 200 "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $LOCKSTEP_TOKEN" -H 'X-Lockstep-Client: worker' \
    -H 'X-Lockstep-Instance: w-17' -H 'X-Lockstep-Lease: 1' "$LOCKSTEP_URL/sdk/v1/ruleset")"
exits "contract: refused" 3 "$m" apply --to contracted
says "who, and how to go on" "*no-client-without-lease*web-page (ofrep, seen * ago)*--accept-stale*"
exits "a reason is asked for" 2 "$m" apply --to contracted --accept-stale web-page
exits "another name does not help" 3 "$m" apply --to contracted --accept-stale web --reason "it is gone"
exits "the worker is behind" 3 "$m" apply --to contracted --accept-stale web-page --reason "the page was redeployed"
says "which" "*no-client-behind*worker (w-17, seen * ago)*"
exits "accepted" 0 "$m" apply --to contracted --accept-stale web-page --accept-stale w-17 --reason "the page was redeployed" --wait 20s
same "history says so" yes "$("$m" history | grep -q 'accept stale web-page, accept stale w-17: the page was redeployed' && echo yes || "$m" history)"
exits "back to in-sync" 0 "$m" rollback --to in-sync
exits "off" 0 "$f" off read-domain
exits "below in-sync: refused" 3 "$m" rollback
says "below in-sync: who" "*honour no lease*web-page*--accept-stale*"
same "still" in-sync "$(state)"

# A hold that somebody left: the next run ends it.
id=$("$m" status --json | jq -r .database_id)
revision=$(curl -s -H "Authorization: Bearer $LOCKSTEP_TOKEN" "$LOCKSTEP_URL/api/v1/gate?flag=read-domain&database_id=$id&migration=0001_split" | jq -r '.facts.flag.revision')
curl -s -o "$work/hold" -X POST -H "Authorization: Bearer $LOCKSTEP_TOKEN" -H 'Content-Type: application/json' \
    -d "{\"flag\": \"read-domain\", \"database_id\": \"$id\", \"migration\": \"0001_split\", \"flag_revision\": $revision, \"owner\": \"killed pid 7\"}" \
    "$LOCKSTEP_URL/api/v1/holds"
same "held" true "$(held)"
exits "the flag cannot move" 3 "$f" on read-domain
exits "any run ends it" 0 "$m" apply --to in-sync
same "free" false "$(held)"
exits "the flag moves again" 0 "$f" on read-domain
exits "off again" 0 "$f" off read-domain
exits "back, accepted" 0 "$m" rollback --accept-stale web-page --accept-stale worker --reason "the page was redeployed"
same "pending" pending "$(state)"
stop_server
finish
