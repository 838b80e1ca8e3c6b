#!/usr/bin/env bash
# Environments, promotion, the archive and stale flags with the program `flags` against a real server: what it
# says compared exactly with environments.golden. `make golden` rewrites it, for review as a diff.
set -u -o pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../../build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
work=$(mktemp -d "${TMPDIR:-/tmp}/flags-environments.XXXXXX")
server=
passed=0 failed=0
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

"$build/flag-server" init --store "sqlite:$work/flags.db" --environment production --token-file "$work/token" || exit 1
"$build/flag-server" serve --store "sqlite:$work/flags.db" --listen 127.0.0.1:0 --port-file "$work/port" 2>"$work/log" &
server=$!
for _ in $(seq 200); do [ -s "$work/port" ] && break; sleep 0.05; done
LOCKSTEP_URL=http://127.0.0.1:$(cat "$work/port")
LOCKSTEP_TOKEN=$(cat "$work/token")
export LOCKSTEP_URL LOCKSTEP_TOKEN
unset FLAGS_ENVIRONMENT

plain() {
    sed -E -e "s|$LOCKSTEP_URL|URL|g" -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g' \
        -e 's/ls_([a-z-]+)_[0-9a-f]{48}/ls_\1_TOKEN/g' -e 's/"(salt|split_salt)": "[0-9a-f]+"/"\1": "SALT"/' \
        -e 's/"epoch": [0-9]+/"epoch": EPOCH/' -e 's/\b[0-9a-f]{16}\b/TOKEN-ID/g' \
        -e 's/[0-9]+ days past/MANY days past/' -e 's/"days": [1-9][0-9]+/"days": MANY/'
}
run() {
    local code
    printf '$ flags'
    printf ' %q' "$@"
    printf '\n'
    "$build/flags" "$@" >"$work/said" 2>&1 </dev/null
    code=$?
    plain <"$work/said"
    [ $code -eq 0 ] || printf '(exit code %s)\n' $code
}
report() { # ENVIRONMENT STATE: what a migrator would say of a database there
    curl -sf -o /dev/null -X PUT -H "Authorization: Bearer $LOCKSTEP_TOKEN" \
        -d "{\"state\":\"$2\",\"flag\":{\"key\":\"search\"},\"database\":\"sqlite:app.db\"}" \
        "$LOCKSTEP_URL/api/v1/migrations/db-$1/0002_split?environment=$1" || echo "report $2 failed"
}

{
    echo "# environments"
    run environments
    run environments create staging
    run environments create staging
    run environments create Staging
    run environments create qa --like nowhere
    run create search --description "Search by words" --owner "search team" --until 2020-01-31 --tags logger,shop
    run environments create qa --like production
    run environments
    run environments list --json
    run environments create
    run environments rename qa
    run environments make x
    run list --environment nowhere
    run show search
    echo "# one flag, three states"
    run on search --environment staging
    run ramp search --environment staging --to 10%
    run rule-add search staff --environment staging --when "plan == 'staff'"
    run ramp search --environment staging --domain acme.com --to 100%
    run list
    run list --environment staging
    FLAGS_ENVIRONMENT=staging run list
    FLAGS_ENVIRONMENT=staging run list --environment production
    FLAGS_ENVIRONMENT='' run list
    run eval search --domain acme.com --key u1
    run eval search --domain acme.com --key u1 --environment staging
    echo "# promotion"
    run promote search
    run promote search --from production
    run promote search --from nowhere
    run promote none --from staging
    run promote search --from staging --dry-run
    run promote search --from staging --dry-run --json
    run promote search --from staging
    run promote search --from staging --only rules,salt --yes
    run promote search --from staging --only rules --yes --reason "staff has it"
    run show search
    run promote search --from staging --to qa --yes --json
    run promote search --from staging --to qa --yes
    run list --environment qa
    run show search --everywhere
    run show serch --everywhere
    echo "# a schema in production goes first"
    report production dual-writing
    run promote search --from staging --dry-run
    run promote search --from staging --yes
    report production in-sync
    run show search --everywhere --json
    run promote search --from staging --yes
    run off search
    run list --environment staging
    run set search --description "Search by any word"
    run archive search --environment staging
    report production dual-writing
    report production pending
    echo "# tokens"
    run token create --role editor --name ann --environment staging
    run token create --role viewer --name board --everywhere
    run token create --role sdk-server --name all --everywhere
    run token list
    LOCKSTEP_TOKEN=$("$build/flags" token create --role editor --name ann --environment staging)
    run list
    run list --environment production
    run on search
    run set search --owner ann
    run archive search
    run promote search --from production
    run environments create mine
    LOCKSTEP_TOKEN=$(cat "$work/token")
    echo "# words, and flags that have done their work"
    run set search
    run set search --until 2026-02-30
    run set search --until never --tags ''
    run set search --until never
    run show search
    run create done --until 2020-01-31
    run create fresh --owner ann
    run stale
    run stale --days 0
    run stale --days x
    run stale --days 0 --json
    echo "# the archive"
    run restore search
    run archive search
    run archive done
    run list --archived
    run show search
    run show search --environment qa
    run create search
    run restore search
    run restore none
    run list
    run list --environment qa
    echo "# and away"
    run environments rename staging production
    run environments rename staging stage
    run environments delete production
    run environments delete qa
    run environments delete qa
    run environments
    run audit search --environment stage --limit 3
} >"$work/seen" 2>&1

check() { # WHAT CONDITION...
    local what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $what"
    fi
}

# On a terminal it asks.
answer() { # TEXT
    script -qec "'$build/flags' promote search --from production --to stage" /dev/null <<<"$1" >"$work/asked" 2>&1
}
"$build/flags" on search >/dev/null
"$build/flags" off search --environment stage >/dev/null
if script -qec true /dev/null </dev/null >/dev/null 2>&1; then
    answer n
    check "it asks" grep -q 'do it? \[y/N\]' "$work/asked"
    check "no is no" [ "$("$build/flags" show search --environment stage --json | jq -r .state)" = off ]
    answer y
    check "yes is yes" [ "$("$build/flags" show search --environment stage --json | jq -r .state)" = on ]
else
    echo "no terminal can be had here: what promote asks on one was left out"
fi

# Everything of an environment moves with its name, and goes with it.
source=$here/../../server/store_environments.c
forgotten=$(sqlite3 "$work/flags.db" "SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.name NOT LIKE 'lockstep%' AND c.name = 'environment' AND m.name <> 'audit'" |
    while read -r table; do
        grep -q "UPDATE $table SET environment" "$source" && grep -q "DELETE FROM $table WHERE environment" "$source" || echo "$table"
    done)
check "every table of an environment is renamed and dropped with it, not so: $forgotten" [ -z "$forgotten" ]
left=$(sqlite3 "$work/flags.db" "SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.name NOT LIKE 'lockstep%' AND c.name = 'environment' AND m.name <> 'audit'" |
    while read -r table; do sqlite3 "$work/flags.db" "SELECT '$table ' || environment FROM $table WHERE environment IN ('staging', 'qa')"; done)
check "no table keeps the old name, or one that is gone: $left" [ -z "$left" ]

if [ -n "${GOLDEN:-}" ]; then
    cp "$work/seen" "$here/environments.golden"
fi
check "what the commands say is in environments.golden" diff -u "$here/environments.golden" "$work/seen"
kill "$server"
wait "$server"
check "the server ended cleanly" [ $? -eq 0 ]
server=
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
