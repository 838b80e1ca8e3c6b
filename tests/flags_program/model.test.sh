#!/usr/bin/env bash
# Segments, layers, prerequisites, pins, splits and schedules by the program `flags`, against a real server:
# what it says, compared exactly with model.golden. `make golden` rewrites it, for review as a diff.
set -u -o pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../../build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
work=$(mktemp -d "${TMPDIR:-/tmp}/flags-model.XXXXXX")
server=
passed=0 failed=0
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
check() { # WHAT COMMAND...
    local what=$1
    shift
    if "$@"; then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "FAILED: $what"
    fi
}

"$build/flag-server" init --store "sqlite:$work/flags.db" --token-file "$work/token" || exit 1
"$build/flag-server" serve --store "sqlite:$work/flags.db" --listen 127.0.0.1:0 --port-file "$work/port" 2>"$work/log" &
server=$!
for _ in $(seq 200); do [ -s "$work/port" ] && break; sleep 0.05; done
LOCKSTEP_URL=http://127.0.0.1:$(cat "$work/port")
LOCKSTEP_TOKEN=$(cat "$work/token")
export LOCKSTEP_URL LOCKSTEP_TOKEN
unset FLAGS_ENVIRONMENT
cd "$work" || exit 1

plain() {
    sed -E -e "s|$LOCKSTEP_URL|URL|g" -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g' \
        -e 's/"(salt|split_salt)": "[0-9a-f]+"/"\1": "SALT"/' -e 's/\b[0-9a-f]{12}\b/SCHEDULE-ID/g'
}
run() {
    local code
    { printf '$ flags' && printf ' %q' "$@" && printf '\n'; } | plain
    "$build/flags" "$@" >"$work/said" 2>&1 </dev/null
    code=$?
    plain <"$work/said"
    [ $code -eq 0 ] || printf '(exit code %s)\n' $code
}
post() { # PATH BODY: with salts that are the same in every run
    curl -sf -o /dev/null -H "Authorization: Bearer $LOCKSTEP_TOKEN" -d "$2" "$LOCKSTEP_URL/api/v1/$1" || echo "POST $1 failed"
}
flag() { # KEY MEMBERS
    post flags "{\"key\":\"$1\",\"state\":\"on\",\"salt\":\"salt-$1\",\"split_salt\":\"split-$1\"$2}"
}
over() { # KEY: waits until nothing of it is pending
    for _ in $(seq 100); do
        "$build/flags" schedules "$1" --json | grep -q '"pending"' || return
        sleep 0.1
    done
}

{
    on='"fallthrough":{"variant":"on"}'
    flag base ",$on"
    flag search ",$on"
    flag cart ",$on"
    flag pay ",$on"
    echo "# one flag waits for another"
    run require search base
    run require search base
    run require base search
    run require search nobody
    run require search base --variant blue
    run show search
    run off base
    run why search --key ann
    run archive base
    run on base
    run unrequire search base
    run unrequire search base
    echo "# single subjects"
    run pin search --subject bob --variant off
    run pin search --subject bob --variant blue
    run pin search --subject bob
    run pins search
    run pins search --json
    run why search --key bob
    run unpin search --subject bob
    run unpin search --subject bob
    run pins search
    echo "# segments"
    run segments
    run segments create staff --key ann --key bob --domain acme.com --description "who works here"
    run segments create beta --when "plan == 'pro' || segment('staff')"
    run segments create beta
    run segments create loop --when "segment('loop')"
    run segments create Bad
    run segments list
    run rule-add search beta --segment beta --to 50%
    run rule-add search none --segment none
    run rule-add search both --segment beta --when true
    run segments show staff
    run segments show staff --json
    run segments set staff --remove-key bob --domain '*.acme.com'
    run segments set staff --remove-key bob
    run segments set staff --when "segment('beta')"
    run why search --key ann
    run why search --key zoe
    run why search --key zoe --context '{"plan":"pro","email":"z@x.acme.com"}'
    run segments delete staff
    run segments delete beta
    printf 'carl\n\n  dora\n' >keys
    run segments set staff --keys keys
    run segments set staff --keys nowhere
    run segments
    run segments create brief
    run segments delete brief
    run segments destroy brief
    run segments show
    run segments list staff
    echo "# layers"
    run layers
    post layers '{"key":"checkout","salt":"layer"}'
    run layers create checkout
    run layers resize checkout cart --to 30%
    run layers resize checkout pay --to 80%
    run layers resize checkout pay --to 20%
    run layers resize checkout cart --to 25%
    run layers resize checkout pay --to 30%
    run layers resize checkout none --to 10%
    run layers resize checkout pay
    run layers
    run show cart
    run why cart --key ann
    run why cart --key bob
    run why cart
    run layers remove checkout pay
    run layers remove checkout pay
    run layers delete checkout
    run layers show checkout --json
    echo "# splits"
    flag button ',"type":"string","variants":{"a":"A","b":"B","c":"C"},"off_variant":"a","fallthrough":{"split":{"a":50,"b":50}}'
    run split button a=40 b=40 c=20
    run split button a=40 b=40 c=20 --reassign
    run split button a=40 b=40 c=20
    run split button a=40 b=50
    run split button a=40 b
    run show button
    echo "# at a time"
    run schedules
    run schedule search --at tomorrow --off
    run schedule search --off
    run schedule search --at +2h
    run schedule search --at +2h --on --off
    run schedule search --at +2h --to 25% --rule none
    run schedule search --at +2h --to 25% --rule beta
    run schedule search --at +2h --not-after +1h --off
    run unschedule none
    run unschedule "$("$build/flags" schedules --json | jq -r '.schedules[0].id')"
    run schedule search --at 2020-01-01 --off --reason "the end of the year"
    over search
    run schedules search
    run show search
    run audit search --limit 1
    post flags '{"key":"tied","state":"on"}'
    curl -sf -o /dev/null -X PUT -H "Authorization: Bearer $LOCKSTEP_TOKEN" \
        -d '{"state":"dual-writing","flag":{"key":"tied"},"database":"sqlite:app.db"}' \
        "$LOCKSTEP_URL/api/v1/migrations/db1/0002_split" || echo "report failed"
    run schedule tied --at 2020-01-01 --to 100%
    over tied
    run schedules tied
    echo "# before a change"
    printf '{"targetingKey":"user-%d"}\n' 1 2 3 4 5 6 7 8 >people
    run simulate cart --off --contexts people
    run simulate base --to 50% --contexts people
    run simulate tied --to 100% --contexts people
    run simulate tied --to 100% --contexts people --json
    run simulate tied --contexts people
    run simulate tied --off --on --contexts people
    run simulate tied --change '{"state":7}' --contexts people
    run audit --limit 400
    echo "# as files"
    run export shop
    run diff shop
    printf '{"key": "above", "prerequisites": [{"flag": "below", "variants": ["on"]}]}' >shop/above.json
    printf '{"key": "below", "rules": [{"segment": "beta", "serve": {"variant": "on"}}]}' >shop/below.json
    run apply shop
    run diff shop
    printf '{"key": "inner", "keys": ["ann"]}' >shop/segments/inner.json
    printf '{"key": "a-outer", "when": "segment(\x27inner\x27)"}' >shop/segments/a-outer.json
    printf '{"key": "asks", "rules": [{"segment": "a-outer", "serve": {"variant": "on"}}]}' >shop/asks.json
    printf '{"key": "fresh", "salt": "fresh", "flags": {"asks": [[0, 50]]}}' >shop/layers/fresh.json
    run diff shop
    run apply shop --json
    run diff shop
    rm shop/asks.json shop/segments/inner.json shop/segments/a-outer.json shop/layers/fresh.json
    run diff shop
    run apply shop --prune
    printf '{"key": "fresh", "salt": "fresh", "flags": {}}' >shop/layers/fresh.json
    run apply shop --prune
    rm shop/layers/fresh.json
    run apply shop --prune
    printf '{"key": "loop", "when": "segment(\x27loop\x27)"}' >shop/segments/loop.json
    run apply shop
    rm shop/segments/loop.json
    printf '{"key": "wrong", "rules": [{"segment": "none", "serve": {"variant": "on"}}]}' >shop/wrong.json
    run apply shop
} >"$work/seen"

if [ -n "${GOLDEN:-}" ]; then
    cp "$work/seen" "$here/model.golden"
fi
check "what the commands say is in model.golden" diff -u "$here/model.golden" "$work/seen"
kill "$server"
wait "$server"
check "the server ended cleanly" [ $? -eq 0 ]
server=
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
