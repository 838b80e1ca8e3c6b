#!/usr/bin/env bash
# One flag server, two environments, a database in each: the flag waits in each for the schema there, the walk of
# one does not wait for the other, and a promotion goes no further than the target's schema bears.
. "$(dirname "$0")/walk_lib.sh"
m=$build/migrate
f=$build/flags
export LOCKSTEP_MIGRATIONS=$work/migrations
unset LOCKSTEP_ENVIRONMENT LOCKSTEP_DATABASE FLAGS_ENVIRONMENT
mkdir -p "$work/migrations/0001_split"
cat >"$work/migrations/0001_split/migration.json" <<'JSON'
{
  "table": "person",
  "add": {"domain": {"type": "TEXT"}},
  "forward": {"domain": "substr(email, instr(email, '@') + 1)"},
  "flag": "read-domain", "lease_s": 1, "old_writes_idle": "0s"
}
JSON
for place in staging production; do
    sqlite3 "$work/$place.db" "CREATE TABLE person(id INTEGER PRIMARY KEY, email TEXT NOT NULL); INSERT INTO person(email) VALUES('a@b.example')"
done
at() { # ENVIRONMENT COMMAND...: migrate on the database of that environment
    local place=$1
    shift
    "$m" "$@" --database "sqlite:$work/$place.db"
}
state() { at "$1" status --json 2>/dev/null | jq -r '.migrations[0].state'; }
ties() { # ENVIRONMENT: "migration state" of what is tied there
    curl -s -H "Authorization: Bearer $LOCKSTEP_TOKEN" "$LOCKSTEP_URL/api/v1/migrations?environment=$1" |
        jq -r '.migrations[] | .migration + " " + .state'
}

"$build/flag-server" init --store "sqlite:$work/flags.db" --environment production --token-file "$work/token" >/dev/null || exit 1
LOCKSTEP_TOKEN=$(cat "$work/token")
export LOCKSTEP_TOKEN
start_server
exits "staging is made" 0 "$f" environments create staging
exits "the flag is made" 0 "$f" create read-domain
exits "on, there" 0 "$f" on read-domain --environment staging
exits "and here" 0 "$f" on read-domain

exits "the walk begins in staging" 0 at staging apply --to in-sync --environment staging
same "its tie is there" "0001_split in-sync" "$(ties staging)"
same "and not here" "" "$(ties production)"
exits "production follows to dual-writing" 0 at production apply --to dual-writing --environment production
same "its tie is here" "0001_split dual-writing" "$(ties production)"
exits "staging may ramp" 0 "$f" ramp read-domain --to 100% --environment staging
exits "production may not" 3 "$f" ramp read-domain --to 1%
exits "nor by promotion" 3 "$f" promote read-domain --from staging --yes
says "what goes first" "*migrate apply 0001_split --to in-sync"
exits "production in in-sync" 0 at production apply --to in-sync
exits "now it is promoted" 0 "$f" promote read-domain --from staging --only fallthrough --yes
exits "and taken back for one customer" 0 "$f" ramp read-domain --domain acme.com --to 0%
exits "staging does not wait for that" 0 at staging apply --to contracted
same "staging: contracted" contracted "$(state staging)"
exits "production does" 3 at production apply --to contracted
says "for whom" "*acme.com*"
exits "staging goes back to in-sync" 0 at staging rollback --to in-sync
exits "and no further" 3 at staging rollback
says "which flag, and where" "*First run: flags off read-domain --environment staging"
exits "contracted again" 0 at staging apply --to contracted
exits "the way back of staging is staging's" 3 "$f" off read-domain --environment staging
says "first the schema" "*migrate rollback 0001_split --to in-sync"
exits "production goes no further back than its flag" 3 at production rollback
says "there without a name" "*First run: flags off read-domain"
exits "production goes back alone" 0 "$f" off read-domain
exits "a state of staging cannot be promoted away" 3 "$f" promote read-domain --from production --to staging --yes

# A pipeline's token is for one environment, and a database for one.
"$f" token create --role pipeline --name ci --environment production >"$work/ci"
exits "another environment's database: refused" 1 at staging rollback --to in-sync --flag-token-file "$work/ci"
says "why" "*this token is for environment 'production', not for 'staging'*"
sqlite3 "$work/other.db" "CREATE TABLE person(id INTEGER PRIMARY KEY, email TEXT NOT NULL)"
exits "a name that is not known: refused" 3 "$m" apply --to expanded --environment qa --database "sqlite:$work/other.db"
says "with the names that are" "*'qa'*'production', 'staging'*"
exits "an environment is not dropped under a schema" 3 "$f" environments delete staging
says "by which" "*0001_split*contracted*"
exits "nor is the flag archived" 3 "$f" archive read-domain
says "where it is needed" "*cannot be archived: migration 0001_split of*"
stop_server
finish
