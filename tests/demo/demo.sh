#!/usr/bin/env bash
# The whole walk on a live database, as a user would type it: schema and flag wait for each other
# while an application writes and reads. Ends with a table of what was checked; exits non-zero if a
# line of it is wrong.
#
#     tests/demo/demo.sh [BUILD]        EVENTS=200000 by default; KEEP=1 keeps the folder
set -u -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-$here/../../build}" && pwd) || exit 2
events=${EVENTS:-200000}
work=$(mktemp -d "${TMPDIR:-/tmp}/lockstep-demo.XXXXXX") || exit 1
db=$work/logger.db
acks=$work/acknowledged.txt
started=$(date +%s)
pids=()
rows=()
failed=0

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' dim=$'\e[2m' plain=$'\e[0m'
else
    bold='' green='' red='' dim='' plain=''
fi

finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
    if [ -n "${KEEP:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap finish EXIT
trap 'exit 130' INT TERM

headline() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
shown() {
    local text="${*//$work\//}"
    printf '%s$ %s%s\n' "$dim" "${text//$build\//}" "$plain"
}
# Runs a command that must succeed.
must() {
    shown "$@"
    "$@" || { printf '%sthis should have worked (exit %s)%s\n' "$red" "$?" "$plain"; exit 1; }
}
# Runs a command that must be refused with this exit code; leaves what it said in $said.
refused() {
    local want=$1 got
    shift
    shown "$@"
    said=$("$@" 2>&1)
    got=$?
    printf '%s\n' "$said"
    [ "$got" -eq "$want" ] && printf '%sexit code %s: refused, as it should be%s\n' "$dim" "$got" "$plain"
    return $((got != want))
}
# A line of the table: what, expected, seen.
row() {
    local mark="${green}ok$plain"
    if [ "$2" != "$3" ]; then mark="${red}WRONG, should be $2$plain"; failed=1; fi
    rows+=("$(printf '%-68s %-14s %s' "$1" "$3" "$mark")")
}
outcome() { if [ "$1" -eq 0 ]; then echo refused; else echo "not refused"; fi; }
# Every acknowledged write must be there in this shape.
check() {
    local out code="all there"
    out=$("$build/demo-logger" check "$db" "$acks" "$2") || code=wrong
    echo "$out"
    row "$1" "all there" "$code"
    [ "$code" != wrong ] || rows+=("    $out")
}

m=("$build/migrate")
export LOCKSTEP_DATABASE=$db LOCKSTEP_MIGRATIONS=$here/migrations LOCKSTEP_ENVIRONMENT=demo
flag=read-reporter-domain

headline "1. A logger's database with $events events, a flag server, and a logger that runs until the end"
must "$build/demo-logger" make "$db" "$events"
must "$build/flag-server" init --store "$work/flags.db" --environment demo --token-file "$work/admin.token"
"$build/flag-server" serve --store "$work/flags.db" --listen 127.0.0.1:0 --port-file "$work/port" 2>"$work/server.log" &
pids+=($!)
for _ in $(seq 100); do [ -s "$work/port" ] && break; sleep 0.05; done
[ -s "$work/port" ] || { echo "the flag server did not start:"; cat "$work/server.log"; exit 1; }
LOCKSTEP_URL=http://127.0.0.1:$(cat "$work/port")
LOCKSTEP_TOKEN=$(cat "$work/admin.token")
export LOCKSTEP_URL LOCKSTEP_TOKEN LOCKSTEP_FLAG_SERVER=$LOCKSTEP_URL
must "$build/flags" create $flag --description "Events are read by the reporter's domain"
must "$build/flags" on $flag
"$build/demo-logger" run "$db" "$acks" >"$work/logger.json" 2>"$work/logger.err" &
logger=$!
pids+=("$logger")
sleep 1

headline "2. The plan: nothing is touched"
must "${m[@]}" plan

headline "3. Expand: the new columns are there, empty; the flag may not move yet"
must "${m[@]}" apply --to expanded
refused 3 "$build/flags" ramp $flag --domain acme.com --to 100%
row "the flag is ramped before both shapes are in sync" refused "$(outcome $?)"

headline "4. Dual-write, backfill, verify: old and new shape are kept equal from here on"
must "${m[@]}" apply --to in-sync
check "in sync: each acknowledged write is present in both shapes" both

headline "5. Customer by customer"
for domain in acme.com globex.com; do must "$build/flags" ramp $flag --domain $domain --to 100%; done
must "$build/flags" ramp $flag --domain initech.com --to 50%
must "$build/flags" eval $flag --domain acme.com --explain
sleep 1
for percent in 10 50 100; do
    must "$build/flags" ramp $flag --to $percent%
    sleep 1
done
check "ramping: each acknowledged write is present in both shapes" both

headline "6. The schema waits for the flag: one domain is behind"
refused 3 "${m[@]}" apply --to contracted
code=$?
case $said in *initech.com*) named=0 ;; *) named=1 ;; esac
row "contract while one domain is behind (and the reason names it)" refused "$(outcome $((code + named)))"
must "$build/flags" ramp $flag --domain initech.com --to 100%

headline "7. Contract: the old column is set aside, not destroyed"
must "${m[@]}" apply --to contracted --wait 30s
check "contracted: each acknowledged write is present in the new shape" new
said=$("$build/demo-logger" old-write "$db")
echo "a write by old code: $said"
case $said in *"no column named reporter"*) loud=0 ;; *) loud=1 ;; esac
row "a deliberate write by old code after contract" "failed loudly" "$([ $loud -eq 0 ] && echo failed loudly || echo "$said")"

headline "8. The flag waits for the schema: it can no longer be turned off"
refused 3 "$build/flags" off $flag
row "the flag is turned off under the contracted schema" refused "$(outcome $?)"

headline "9. And back: what was written since is kept"
must "${m[@]}" rollback --to in-sync
check "rolled back: each acknowledged write is present in both shapes" both

headline "10. And forward again"
must "${m[@]}" apply --to contracted --wait 30s
sleep 1
check "contracted again: each acknowledged write is in the new shape" new
must "${m[@]}" status
must "${m[@]}" verify

kill -TERM "$logger"
wait "$logger"
report=$(cat "$work/logger.json")
cat "$work/logger.err" >&2
field() { printf '%s' "$report" | sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"; }
row "mismatches seen by readers" 0 "$(field mismatches)"
row "errors seen by any client" 0 "$(field errors)"
[ "$(field errors)" = 0 ] || rows+=("    first: $(field first_error)")
waited=$(field longest_wait_ms)
limit_ms=1000
row "longest wait of a writer, under $limit_ms ms" "$waited ms" "$(awk -v w="${waited:-99999}" -v l=$limit_ms 'BEGIN { print (w < l ? w : "too long:" w) }') ms"
server_pid=${pids[0]}
kill -TERM "$server_pid"
wait "$server_pid"
row "the flag server ended with exit code" 0 $?
pids=()

headline "What was checked"
printf '%s\n' "${rows[@]}"
printf '\nwrites: %s by the old path, %s by the new; reads: %s old, %s new; longest wait of a writer: %s ms; %s s in all\n' \
    "$(field writes_old)" "$(field writes_new)" "$(field reads_old)" "$(field reads_new)" "$waited" $(($(date +%s) - started))
if [ $failed -ne 0 ]; then printf '%sthe demo FAILED%s\n' "$red" "$plain"; else printf '%sthe demo passed%s\n' "$green" "$plain"; fi
exit $failed
