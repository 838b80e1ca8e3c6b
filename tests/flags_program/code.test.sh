#!/usr/bin/env bash
# Flags as code (export, diff, apply), and who would change (simulate), against a real server.
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../../build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
work=$(mktemp -d "${TMPDIR:-/tmp}/flags-code.XXXXXX")
server=
passed=0 failed=0
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
f=$build/flags
said=$work/said

check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not so: $name"
        sed 's/^/    /' "$said"
    fi
}
begins() { # a server of its own: NAME
    "$build/flag-server" init --store "sqlite:$work/$1.db" --environment "$1" --token-file "$work/$1.token" || exit 1
    "$build/flag-server" serve --store "sqlite:$work/$1.db" --listen 127.0.0.1:0 --port-file "$work/$1.port" 2>"$work/$1.log" &
    server=$!
    for _ in $(seq 200); do [ -s "$work/$1.port" ] && break; sleep 0.05; done
    LOCKSTEP_URL=http://127.0.0.1:$(cat "$work/$1.port")
    LOCKSTEP_TOKEN=$(cat "$work/$1.token")
    export LOCKSTEP_URL LOCKSTEP_TOKEN
}
ends() {
    kill "$server"
    wait "$server"
    server=
}
exit_code() { # ARGUMENTS...: runs flags, its exit code
    "$f" "$@" >"$said" 2>&1 </dev/null
    echo $?
}
has() { grep -qF -e "$1" "$said"; }

begins staging
dir=$work/flags
for key in search button old-theme; do "$f" create "$key" >/dev/null; done
"$f" on search >/dev/null
"$f" ramp search --domain acme.com --to 25% >/dev/null
"$f" rule-add search staff --when "email.endsWith('@lockstep.dev')" --on-error skip >/dev/null

check "export" [ "$(exit_code export "$dir")" = 0 ]
check "says how much" has "3 flags, 3 files written"
check "a file is the flag" [ "$(jq -r '.domains["acme.com"].ramp.percent' "$dir/search.json")" = 25 ]
check "without what only the server says" [ "$(jq 'has("version") or has("tie")' "$dir/search.json")" = false ]
check "once more" [ "$(exit_code export "$dir")" = 0 ]
check "writes nothing" has "3 flags, 0 files written"
check "no difference" [ "$(exit_code diff "$dir")" = 0 ]
check "says so" has "nothing to change"

jq '.domains["acme.com"].ramp.percent = 50 | .description = "by words"' "$dir/search.json" >"$dir/new" && mv "$dir/new" "$dir/search.json"
printf '{"key": "fresh", "state": "on"}' >"$dir/fresh.json"
rm "$dir/old-theme.json"
echo "notes" >"$dir/README"
check "a difference is exit code 5" [ "$(exit_code diff "$dir")" = 5 ]
check "what differs" has '    domains.acme.com: {"ramp":{"percent":25,"variant":"on"}} -> {"ramp":{"percent":50,"variant":"on"}}'
check "what is new" has "fresh: create"
check "what has no file" has "old-theme: only on the server"
check "as JSON" [ "$("$f" diff "$dir" --json | jq -c '[.done, .created, .changed, .archived]')" = '[false,1,1,0]' ]
check "with --prune it would be archived" [ "$("$f" diff "$dir" --prune --json | jq .archived)" = 1 ]
check "a dry run" [ "$(exit_code apply "$dir" --dry-run)" = 0 ]
check "says what it would do" has "1 to make, 1 to change, 0 to archive"
check "and does nothing" [ "$(exit_code diff "$dir")" = 5 ]

printf '{"key": "broken", "fallthrough": {"variant": "maybe"}}' >"$dir/broken.json"
check "a wrong file is exit code 2" [ "$(exit_code apply "$dir")" = 2 ]
check "is named" has "broken.json"
check "and nothing was changed" [ "$("$f" show search --json | jq .domains[].ramp.percent)" = 25 ]
printf '{"key": "other"}' >"$dir/broken.json"
check "a key is the file's name" [ "$(exit_code apply "$dir")" = 2 ]
printf '{"key": "broken"' >"$dir/broken.json"
check "half a file" [ "$(exit_code diff "$dir")" = 2 ]
rm "$dir/broken.json"
check "no such folder" [ "$(exit_code diff "$work/nowhere")" != 0 ]

check "apply" [ "$(exit_code apply "$dir" --reason "release 7")" = 0 ]
check "says what it did" has "1 made, 1 changed, 0 archived"
check "so it is" [ "$("$f" show search --json | jq .domains[].ramp.percent)" = 50 ]
check "again: nothing" [ "$(exit_code apply "$dir")" = 0 ]
check "which it says" has "nothing to change"
check "the audit says why" grep -q "release 7" <("$f" audit search)
check "pruned" [ "$(exit_code apply "$dir" --prune)" = 0 ]
check "the flag without a file is gone" [ "$("$f" list --json | jq -c '[.flags[].key]')" = '["button","fresh","search"]' ]

# One that is refused keeps no other from its change.
jq '.salt = "another"' "$dir/button.json" >"$dir/new" && mv "$dir/new" "$dir/button.json"
jq '.state = "off"' "$dir/search.json" >"$dir/new" && mv "$dir/new" "$dir/search.json"
check "refused is exit code 3" [ "$(exit_code apply "$dir")" = 3 ]
check "and why" has "reassign"
check "the other was changed" [ "$("$f" show search --json | jq -r .state)" = off ]
check "insisted" [ "$(exit_code apply "$dir" --reassign)" = 0 ]
check "the same then" [ "$(exit_code diff "$dir")" = 0 ]

# Who would change: the very contexts, before and after the change is made.
"$f" on search >/dev/null
awk 'BEGIN { for (i = 0; i < 500; i++) printf "{\"targetingKey\": \"user-%d\", \"domain\": \"%s\"}\n", i, i % 2 ? "acme.com" : "globex.com" }' >"$work/who"
"$f" simulate search --change '{"domains": {"acme.com": {"ramp": {"percent": 75, "variant": "on"}}}}' --contexts "$work/who" --limit 1000 --json >"$said"
check "simulate" [ "$(jq -c '[.contexts, (.changed > 40), (.changed < 90), (.ways | length), .ways[0].was, .ways[0].now]' "$said")" = '[500,true,true,1,"off","on"]' ]
check "only acme.com" [ "$(jq '[.who[] | select(.context.domain != "acme.com")] | length' "$said")" = 0 ]
cp "$said" "$work/foretold"
each() { # what everybody gets now, a line each
    local keys=$1
    for key in $keys; do
        "$f" eval search --key "$key" --domain acme.com --json | jq -r .variant
    done | sort | uniq -c | tr -s ' '
}
some=$(jq -r '.who[:8][].context.targetingKey' "$work/foretold")
check "they have it not yet" [ "$(each "$some")" = " 8 off" ]
"$f" ramp search --domain acme.com --to 75% >/dev/null
check "and they have it then" [ "$(each "$some")" = " 8 on" ]
check "text" [ "$(exit_code simulate search --change '{"state": "off"}' --contexts "$work/who")" = 0 ]
check "says how many" has "contexts would get something else from search"
check "lists twenty" [ "$(grep -c targetingKey "$said")" = 20 ]
check "nobody" [ "$(exit_code simulate search --change '{"description": "x"}' --contexts "$work/who")" = 0 ]
check "says nobody" has "0 of 500 contexts would get something else"
jq '.state = "off"' "$dir/search.json" >"$work/whole.json"
check "a whole flag" [ "$(exit_code simulate search --file "$work/whole.json" --contexts "$work/who")" = 0 ]
for bad in '{"state": 7}' '[1]' '{"fallthrough": {"variant": "maybe"}}' '{'; do
    check "a change that is wrong: $bad" [ "$(exit_code simulate search --change "$bad" --contexts "$work/who")" = 2 ]
done
echo '{"domain": 7' >>"$work/who"
check "a context that is wrong" [ "$(exit_code simulate search --change '{"state": "off"}' --contexts "$work/who")" = 2 ]
check "is named by its line" has "line 501"
check "no contexts" [ "$(exit_code simulate search --change '{}')" = 2 ]
check "no change" [ "$(exit_code simulate search --contexts "$work/who")" = 2 ]
check "nothing of it was sent" [ "$("$f" show search --json | jq -r .state)" = on ]
"$f" export "$dir" >/dev/null
ends

# Another environment, from the same folder: the same answers, because the salts are in the files.
begins production
check "a new server" [ "$(exit_code apply "$dir")" = 0 ]
check "everybody there" [ "$(each "$some")" = " 8 on" ]
check "equal" [ "$(exit_code diff "$dir")" = 0 ]
ends
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
