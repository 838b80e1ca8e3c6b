#!/usr/bin/env bash
# The program `flags` against a real server: what it says, as text and as JSON, compared exactly with
# cli.golden. `make golden` rewrites it, for review as a diff.
set -u -o pipefail
export LC_ALL=C.UTF-8 # bash quotes letters by it
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../../build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
work=$(mktemp -d "${TMPDIR:-/tmp}/flags-cli.XXXXXX")
server=
passed=0 failed=0
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

"$build/flag-server" init --store "sqlite:$work/flags.db" --environment test --token-file "$work/token" || exit 1
"$build/flag-server" serve --store "sqlite:$work/flags.db" --listen 127.0.0.1:0 --port-file "$work/port" 2>"$work/log" &
server=$!
for _ in $(seq 200); do [ -s "$work/port" ] && break; sleep 0.05; done
serve() { # again, where it was
    "$build/flag-server" serve --store "sqlite:$work/flags.db" --listen "127.0.0.1:${url##*:}" 2>>"$work/log" &
    server=$!
    for _ in $(seq 200); do curl -sf -o /dev/null "$url/healthz" && break; sleep 0.05; done
}
LOCKSTEP_URL=http://127.0.0.1:$(cat "$work/port")
LOCKSTEP_TOKEN=$(cat "$work/token")
url=$LOCKSTEP_URL
export LOCKSTEP_URL LOCKSTEP_TOKEN

# What differs from run to run gets a name.
plain() {
    sed -E -e "s|$url|URL|g" \
        -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g' \
        -e 's/ls_([a-z-]+)_[0-9a-f]{48}/ls_\1_TOKEN/g' \
        -e 's/"(salt|split_salt)": "[0-9a-f]+"/"\1": "SALT"/' \
        -e 's/"epoch": [0-9]+/"epoch": EPOCH/' \
        -e 's/\b[0-9a-f]{16}\b/TOKEN-ID/g' \
        -e 's/"seconds_ago": [0-9.]+/"seconds_ago": AGO/' -e 's/[0-9]+ (s|d) ago/AGO/g' \
        -e 's/ended in [0-9]+ s/ended in SOME s/'
}
# flags ARGUMENTS...: a line with the command, what it says, and its exit code if that is not 0
run() {
    local code
    printf '$ flags'
    [ $# -eq 0 ] || printf ' %q' "$@"
    printf '\n'
    "$build/flags" "$@" >"$work/said" 2>&1 </dev/null
    code=$?
    plain <"$work/said"
    [ $code -eq 0 ] || printf '(exit code %s)\n' $code
}
report() { # STATE: what a migrator would say
    curl -sf -o /dev/null -X PUT -H "Authorization: Bearer $LOCKSTEP_TOKEN" \
        -d "{\"state\":\"$1\",\"flag\":{\"key\":\"new-search\"},\"database\":\"sqlite:app.db\"}" \
        "$LOCKSTEP_URL/api/v1/migrations/db1/0002_split" || echo "report $1 failed"
}

refused() { # STATE: what a migrator is told
    curl -s -X PUT -H "Authorization: Bearer $LOCKSTEP_TOKEN" \
        -d "{\"state\":\"$1\",\"flag\":{\"key\":\"new-search\"},\"database\":\"sqlite:app.db\"}" \
        "$LOCKSTEP_URL/api/v1/migrations/db1/0002_split" | jq -r '.detail'
}
hold() { # as a migrator that is about to contract
    local revision
    revision=$(curl -sf -H "Authorization: Bearer $LOCKSTEP_TOKEN" \
        "$LOCKSTEP_URL/api/v1/gate?flag=new-search&database_id=db1&migration=0002_split" | jq .facts.flag.revision)
    curl -sf -o /dev/null -H "Authorization: Bearer $LOCKSTEP_TOKEN" "$LOCKSTEP_URL/api/v1/holds" \
        -d "{\"flag\":\"new-search\",\"database_id\":\"db1\",\"migration\":\"0002_split\",\"flag_revision\":$revision,\"owner\":\"ci-7\"}" ||
        echo "hold failed"
}

{
    echo "# making and ramping"
    run list
    run create new-search --description "Search by words"
    run on new-search
    run on new-search
    run ramp new-search --domain ACME.com. --to 25%
    run ramp new-search --domain acme.com --to 12.345%
    run create spelt
    run ramp spelt --domain BÜCHER.example --to 25%
    run ramp spelt --domain xn--bcher-kva.example --to 50%
    run ramp spelt --domain bücher.example. --to 75%
    run ramp spelt --domain "*.bücher.example" --to 5%
    run show spelt
    run archive spelt
    run ramp new-search --to 50 --reason "half of everybody"
    run ramp new-search --to 100%
    run ramp new-search --to 0% --json
    run rule-add new-search staff --when "email.endsWith('@lockstep.dev')"
    run rule-add new-search staff --when "true"
    run ramp new-search --rule staff --to 50%
    run ramp new-search --rule nobody --to 50%
    run ramp new-search --domain globex.com --to 5%
    run list
    run list --json
    run show new-search
    run show new-search --json
    echo "# asking"
    # with salts that are known, so that its buckets are
    curl -sf -o /dev/null -H "Authorization: Bearer $LOCKSTEP_TOKEN" "$LOCKSTEP_URL/api/v1/flags" -d '{
        "key": "asked", "state": "on", "salt": "s1", "split_salt": "s2",
        "domains": {"acme.com": {"ramp": {"percent": 12.345, "variant": "on"}}, "*.acme.com": {"variant": "on"}},
        "rules": [{"name": "staff", "when": "email.endsWith(\"@lockstep.dev\") && plan == \"pro\"",
                   "serve": {"ramp": {"percent": 50, "variant": "on"}}, "on_error": "skip"}]}' || echo "no flag was made"
    run eval asked --domain acme.com
    run eval asked --key u1 --domain acme.com --explain
    run eval asked --domain it.acme.com --explain
    run eval asked --key u1 --context '{"email": "ann@lockstep.dev", "plan": "pro"}' --explain
    run eval asked --key u1 --context '{"email": "ann@lockstep.dev"}' --explain
    run eval asked --context '{"email": "ann@initech.com", "plan": "pro"}' --json
    run eval asked --context '{"email": "ann@initech.com", "plan": "pro"}' --explain --json
    run eval new-search --context '{"email":'
    run eval new-search --context '[]'
    run eval new-serch
    echo "# who has it"
    curl -sf -o /dev/null -H "Authorization: Bearer $LOCKSTEP_TOKEN" "$LOCKSTEP_URL/api/v1/flags" -d '{
        "key": "had", "type": "string", "state": "on", "salt": "s1", "split_salt": "s2",
        "variants": {"none": "", "a": "A", "b": "B"}, "off_variant": "none",
        "individual": {"u1": "a", "u2": "none"},
        "domains": {"all.com": {"variant": "a"}, "*.half.com": {"ramp": {"percent": 50, "variant": "b"}},
            "zero.com": {"variant": "none"}, "rules.com": {"rules": true},
            "split.com": {"ramp": {"percent": 50, "split": {"none": 50, "a": 25, "b": 25}}}},
        "rules": [{"name": "pro", "when": "plan == \"pro\"", "serve": {"split": {"a": 50, "b": 50}}},
            {"name": "never", "when": "true", "serve": {"variant": "none"}}]}' || echo "no flag was made"
    run domains had
    run domains had --percent-below 100
    run domains had --percent-below 100 --json
    run domains had --percent-below 0%
    run domains had --percent-below much
    run domains spelt-wrong
    run who had
    run who had --json
    run why had --domain zero.com
    run why had --context '{"plan": "pro", "targetingKey": "u7", "domain": "not a domain"}'
    run domain-remove had ZERO.com.
    run domain-remove had zero.com
    run domain-remove had rules.com --json
    run off had
    run who had
    run domains had --percent-below 30
    run create nobody-has-it
    run who nobody-has-it
    run domains nobody-has-it
    run domain-remove nobody-has-it acme.com
    echo "# variants"
    run create colour --type string --variants '{"red": "#f00", "blue": "#00f", "grey": "#888"}' --off-variant grey
    run ramp colour --to 10%
    run ramp colour --to 10% --variant blue
    run ramp colour --to 20%
    run ramp colour --to 20% --variant green
    run create shade --type string --variants '["red"]'
    run create shade --type colour
    echo "# a schema that goes first"
    run off new-search
    report dual-writing
    run on new-search
    run on new-search --json
    run show new-search
    run why new-search --domain acme.com
    run why new-search --domain acme.com --json
    report in-sync
    run on new-search
    refused contracted
    run ramp new-search --domain acme.com --to 100%
    run ramp new-search --domain globex.com --to 100%
    run ramp new-search --rule staff --to 100%
    run ramp new-search --to 100%
    refused contracted
    run rule-set new-search staff
    run rule-set new-search nobody --on-error skip
    run rule-set new-search staff --on-error maybe
    run rule-set new-search staff --on-error skip
    run rule-set new-search staff --when "email.endsWith('@lockstep.example')"
    report contracted
    report in-sync
    run archive new-search
    run unhold new-search --reason "none"
    hold
    run off new-search
    run unhold new-search
    run unhold new-search --reason "too early"
    run untie new-search --reason "too early"
    sqlite3 "$work/flags.db" "PRAGMA busy_timeout=5000; UPDATE tie SET hold_taken_ms = 1, hold_renewed_ms = 1" >/dev/null
    kill "$server"; wait "$server"; serve
    run off new-search
    run unhold new-search 0009_other --reason "the runner died"
    run unhold new-search --reason "the runner died"
    run off new-search --reason "at last"
    run untie new-search
    run untie new-search --reason "the database is gone"
    run untie new-search --reason "the database is gone" --json
    report in-sync
    run on new-search
    echo "# mistakes"
    run
    run shw new-search
    run show
    run show new-serch
    run show new-serch --json
    run create new-search
    run create 'Bad Key'
    run ramp new-search
    run ramp new-search --to 120%
    run ramp new-search --to 1e1
    run ramp new-search --to 0.0001%
    run ramp new-search --domain 'not a domain' --to 10%
    run ramp new-search --domain a.com --rule staff --to 10%
    run rule-add new-search pro --when "plan =="
    run rule-remove new-search pro
    run rule-remove new-search staff
    run on new-search --token-file "/nonexistent/token"
    LOCKSTEP_TOKEN=ls_admin_wrong run list
    LOCKSTEP_TOKEN=ls_admin_wrong run list --json
    LOCKSTEP_TOKEN='' run list
    LOCKSTEP_URL=127.0.0.1 run list
    run audit new-search --limit 0
    run audit new-search --limit 1001
    run audit new-search --before last
    run show ''
    run show ..
    run on ''
    run create ''
    run archive ''
    run audit ''
    run eval ''
    run rule-add new-search '' --when true
    run ramp new-search --rule '' --to 5%
    run ramp new-search --domain '' --to 5%
    run token revoke ''
    run audit no-flag
    echo "# the rest"
    run archive colour
    run show colour
    run clients
    curl -s -o /dev/null -H "Authorization: Bearer $LOCKSTEP_TOKEN" -H "X-Lockstep-Client: logger" \
        -H "X-Lockstep-Instance: i1" -H "X-Lockstep-Lease: 1" "$LOCKSTEP_URL/sdk/v1/ruleset"
    curl -s -o /dev/null -H "Authorization: Bearer $LOCKSTEP_TOKEN" -d '{}' "$LOCKSTEP_URL/ofrep/v1/evaluate/flags"
    run clients
    run clients --json
    run token create
    run token create --role viewer --name board
    run token create --role king
    run token list
    run token revoke
    run token revoke none
    run token make
    run audit new-search --limit 4
    run audit new-search --limit 2 --before "$("$build/flags" audit new-search --limit 2 --json | jq '.events[-1].id')"
    run audit new-search --limit 1 --json
    run audit
} >"$work/seen" 2>&1

# ---- what a golden cannot show ----
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
nowhere=$(LOCKSTEP_URL=http://127.0.0.1:1 "$build/flags" list 2>&1)
check "a server that is not there: exit code 1" [ $? -eq 1 ]
check "its URL is named" grep -q 'http://127.0.0.1:1 ' <<<"$nowhere"
check "and what to check" grep -q -- '--server or LOCKSTEP_URL' <<<"$nowhere"
not_ours=$(LOCKSTEP_TOKEN=x "$build/flags" list --server "$LOCKSTEP_URL/healthz" 2>&1)
check "an address that is no flag server's" grep -q 'nothing at this path' <<<"$not_ours"

"$build/flags" create painted --description $'red \e[31m\xc2\x9b1m end' >/dev/null
"$build/flags" rule-add painted odd --when $'plan == "\e]0;x\a"' >/dev/null
painted=$("$build/flags" show painted)
check "what others wrote cannot steer a terminal" [ "${painted//[$'\e\a\x9b']/}" = "$painted" ]
check "and is shown" grep -q '?\[31m??1m end' <<<"$painted"

# A flag with very many customers, and a long audit of it.
"$build/flags" create crowd >/dev/null
for serve in on off on off; do
    version=$("$build/flags" show crowd --json | sed -n 's/^  "version": //p')
    awk -v serve="$serve" 'BEGIN {
        printf "{\"key\":\"crowd\",\"state\":\"on\",\"type\":\"boolean\",\"variants\":{\"on\":true,\"off\":false},"
        printf "\"off_variant\":\"off\",\"fallthrough\":{\"variant\":\"off\"},\"domains\":{"
        for (i = 0; i < 30000; i++) printf "%s\"d%d.e\":{\"variant\":\"%s\"}", i ? "," : "", i, serve
        print "}}"
    }' | curl -sf -o /dev/null -X PUT -H "Authorization: Bearer $LOCKSTEP_TOKEN" -H "If-Match: \"$version\"" \
        --data-binary @- "$url/api/v1/flags/crowd" || echo "crowd was not changed"
done
crowd=$(timeout 10 "$build/flags" audit crowd)
check "the audit of many domains is quick" [ $? -eq 0 ]
check "and says what changed" grep -q 'd0.e: 100 % -> 0 %; d1.e: ' <<<"$crowd"
sqlite3 "$work/flags.db" "INSERT INTO audit(environment, at_ms, actor, action, flag, revision, before, after, reason)
    SELECT environment, at_ms, actor, action, flag, revision, before, after, reason FROM audit a,
    (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) SELECT i FROM n)
    WHERE a.id = (SELECT max(id) FROM audit)"
"$build/flags" audit --limit 100 >"$work/crowd" 2>"$work/more"
check "an audit too large for one answer is cut" [ "$(wc -l <"$work/crowd")" -lt 60 ]
check "and says so" grep -q 'older ones are left out' "$work/more"

"$build/flags" create busy >/dev/null && "$build/flags" on busy >/dev/null
for i in 1 2 3 4; do
    for n in 1 2 3 4 5; do
        "$build/flags" ramp busy --domain "d$i-$n.example" --to 100% >/dev/null || echo "$i-$n" >>"$work/lost"
    done &
    pids[i]=$!
done
wait "${pids[@]}"
lost=$(cat "$work/lost" 2>/dev/null | wc -l)
check "four people at once lose no change" [ "$("$build/flags" show busy --json | jq '.domains | length')" -eq $((20 - lost)) ]
check "hardly any of them has to repeat" [ "$lost" -le 2 ]
narrow=$(COLUMNS=40 script -qec "stty cols 40; '$build/flags' list" /dev/null </dev/null 2>/dev/null | sed 's/…/./g' | awk '{ sub(/\r$/, ""); if (length($0) > m) m = length($0) } END { print m + 0 }')
check "a table fits the terminal ($narrow columns of 40)" [ "$narrow" -le 40 ]

if [ -n "${GOLDEN:-}" ]; then
    cp "$work/seen" "$here/cli.golden"
fi
check "what the commands say is in cli.golden" diff -u "$here/cli.golden" "$work/seen"
kill "$server"
wait "$server"
check "the server ended cleanly" [ $? -eq 0 ]
server=
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
