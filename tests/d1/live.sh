#!/usr/bin/env bash
# The driver's suite and a walk with its ways back on a real D1 database, made for this and deleted
# behind it:
#     CLOUDFLARE_API_TOKEN=... CLOUDFLARE_ACCOUNT_ID=... BUILD=build tests/d1/live.sh
# The token needs the permission "D1 Edit". About 800 requests of the 1,200 that an account has in five
# minutes, and 6,000 rows written. Without token and account this is left out, in one line.
# CLOUDFLARE_API_BASE_URL names another API. At last "N passed, N failed"; exit 1 if any failed.
set -u -o pipefail

if [ -z "${CLOUDFLARE_API_TOKEN:-}" ] || [ -z "${CLOUDFLARE_ACCOUNT_ID:-}" ]; then
    echo "D1, live: not run, CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID are not set"
    exit 0
fi
build=$(cd "${BUILD:?}" && pwd) || exit 2
api=${CLOUDFLARE_API_BASE_URL:-https://api.cloudflare.com/client/v4}
databases=$api/accounts/$CLOUDFLARE_ACCOUNT_ID/d1/database
work=$(mktemp -d "${TMPDIR:-/tmp}/d1-live.XXXXXX") || exit 2
passed=0 failed=0 id='' travel=failed
unset LOCKSTEP_D1_TOKEN LOCKSTEP_FLAG_SERVER LOCKSTEP_ENVIRONMENT
export LOCKSTEP_ACTOR=check-d1-live LOCKSTEP_MIGRATIONS=$work/migrations

# call METHOD URL [BODY]: the answer; the token is in no argument
call() {
    printf 'header = "Authorization: Bearer %s"\n' "$CLOUDFLARE_API_TOKEN" |
        curl -sS --max-time 60 -K - -X "$1" -H 'Content-Type: application/json' ${3+--data "$3"} "$2"
}
end() {
    [ -z "$id" ] || call DELETE "$databases/$id" >"$work/deleted" 2>&1 || echo "the database $name ($id) was not deleted: $(cat "$work/deleted")"
    rm -rf "$work"
}
trap end EXIT
same() { # WHAT EXPECTED SEEN
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL %s\n  expected: %s\n  seen:     %s\n' "$1" "$2" "$3"
    fi
}
exits() { # WHAT CODE ARGUMENTS...
    local what=$1 want=$2 code
    shift 2
    said=$("$build/migrate" "$@" 2>&1)
    code=$?
    same "$what" "$want" "$code"
    [ "$code" = "$want" ] || printf '%s\n' "$said"
}
# What asks for a bookmark; an API without Time Travel goes without.
travels() { # WHAT ARGUMENTS...
    local what=$1 code
    shift
    said=$("$build/migrate" "$@" 2>&1)
    code=$?
    case $code,$said in
    0,*) travel=yes ;;
    3,*--recovery-point\ none*)
        travel=no
        exits "$what" 0 "$@" --recovery-point none
        return
        ;;
    esac
    same "$what: $said" 0 "$code"
}
sql() { # the first value that a statement of the application gives
    call POST "$databases/$id/raw" "$(jq -cn --arg sql "$1" '{sql: $sql}')" |
        jq -r 'if .success then (.result[-1].results.rows[0][0] // "") else .errors[0].message end'
}

name=lockstep-check-$(date +%s)-$$
made=$(call POST "$databases" "{\"name\": \"$name\"}") && id=$(jq -r '.result.uuid // empty' <<<"$made")
if [ -z "$id" ]; then
    echo "D1, live: no database could be made: $made"
    exit 1
fi
export LOCKSTEP_DATABASE=d1://$CLOUDFLARE_ACCOUNT_ID/$id
began=$(date +%s)

D1_TEST_API=$api D1_TEST_TOKEN=$CLOUDFLARE_API_TOKEN D1_TEST_URL=$LOCKSTEP_DATABASE \
    "$build/tests/database/test_d1" >"$work/suite" 2>&1
same "the driver's suite" 0 $?
grep -A 4 'FAILED\|ERROR' "$work/suite" | head -40

mkdir -p "$work/migrations/0002_phone"
cat >"$work/migrations/0001_init.sql" <<'SQL'
CREATE TABLE Customer(CustomerId INTEGER PRIMARY KEY, Name TEXT NOT NULL, Phone TEXT);
CREATE TABLE Log(What TEXT);
CREATE TRIGGER CustomerGone AFTER DELETE ON Customer BEGIN INSERT INTO Log VALUES(OLD.Name); DELETE FROM Log WHERE What = ''; END;
INSERT INTO Customer(Name, Phone) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT 'n' || i, (i % 90) || '-' || i FROM n;
SQL
cat >"$work/migrations/0002_phone/migration.json" <<'JSON'
{"table": "Customer", "add": {"Area": {"type": "TEXT"}, "Number": {"type": "TEXT"}},
 "forward": {"Area": "substr(Phone, 1, instr(Phone, '-') - 1)", "Number": "substr(Phone, instr(Phone, '-') + 1)"},
 "drop": ["Phone"], "reverse": {"Phone": "Area || '-' || Number"}, "old_writes_idle": "0s"}
JSON
exits "the plain migration" 0 apply 0001
schema=$(sql "SELECT sql FROM sqlite_master WHERE name = 'Customer'")
exits "plan" 0 plan
exits "in-sync" 0 apply --to in-sync
sql "INSERT INTO Customer(CustomerId, Name, Phone) VALUES(5001, 'old', '7-old')" >/dev/null
sql "UPDATE Customer SET Phone = '8-changed' WHERE CustomerId = 7" >/dev/null
sql "INSERT INTO Customer(CustomerId, Name, Area, Number) VALUES(5002, 'new', '9', 'new')" >/dev/null
same "old code's row, read by new code" "7/old" "$(sql "SELECT Area || '/' || Number FROM Customer WHERE CustomerId = 5001")"
same "old code's change" "8/changed" "$(sql "SELECT Area || '/' || Number FROM Customer WHERE CustomerId = 7")"
same "new code's row, read by old code" "9-new" "$(sql "SELECT Phone FROM Customer WHERE CustomerId = 5002")"
exits "verified" 0 verify
exits "contracted" 0 apply --to contracted
case $(sql "SELECT Phone FROM Customer") in *"no such column"*) failing=yes ;; *) failing=no ;; esac
same "old code fails loudly" yes $failing
sql "UPDATE Customer SET Number = 'late' WHERE CustomerId = 3" >/dev/null
travels "back" rollback
same "the schema is what it was" "$schema" "$(sql "SELECT sql FROM sqlite_master WHERE name = 'Customer'")"
same "what was written meanwhile is there" "3-late" "$(sql "SELECT Phone FROM Customer WHERE CustomerId = 3")"
exits "forward again" 0 apply --to contracted
travels "purged" apply --to purged
if [ "$travel" = yes ]; then
    mark=$("$build/migrate" history --json | grep -o 'bookmark:[^",]*, before purge' | tail -n 1)
    sql "INSERT INTO Customer(CustomerId, Name) VALUES(5003, 'too late')" >/dev/null
    exits "restore" 0 restore "${mark%%,*}" --yes --reason check
    exits "contracted again" 0 status
    case $said in *0002_phone*contracted*) same restored 1 1 ;; *) same restored contracted "$said" ;; esac
    same "what came behind the bookmark is gone" 0 "$(sql "SELECT count(*) FROM Customer WHERE CustomerId = 5003")"
fi
echo "D1, live: a walk in $(($(date +%s) - began)) s, Time Travel: $travel"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
