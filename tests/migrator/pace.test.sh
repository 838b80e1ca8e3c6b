#!/usr/bin/env bash
# pause, resume, throttle and the veto from outside, on a backfill that runs meanwhile.
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../../build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
m=$build/migrate
work=$(mktemp -d "${TMPDIR:-/tmp}/pace.XXXXXX")
running=
trap '[ -n "$running" ] && kill "$running" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
unset LOCKSTEP_MIGRATIONS LOCKSTEP_ENVIRONMENT LOCKSTEP_FLAG_SERVER LOCKSTEP_TOKEN
export LOCKSTEP_DATABASE=sqlite:app.db LOCKSTEP_ACTOR=ann
passed=0 failed=0
same() { # WHAT EXPECTED SEEN
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL %s\n  expected: %s\n  seen:     %s\n' "$1" "$2" "$3"
    fi
}
has() { # WHAT PATTERN TEXT
    # shellcheck disable=SC2254
    case $3 in $2) passed=$((passed + 1)) ;; *) failed=$((failed + 1)); printf 'FAIL %s\n  wanted: %s\n  seen:   %s\n' "$1" "$2" "$3" ;; esac
}
done_rows() { sqlite3 -cmd '.timeout 5000' app.db "SELECT rows_done FROM lockstep_journal WHERE migration = '0001_fill'"; }
reach() { # ROWS: waits until so many are done, for a minute at most
    for _ in $(seq 600); do
        [ "$(done_rows 2>/dev/null || echo 0)" -ge "$1" ] 2>/dev/null && return 0
        sleep 0.1
    done
    echo "never reached $1 rows"
    return 1
}
begin() { # ARGUMENT...: apply in the background
    "$m" apply --to in-sync "$@" >out 2>err &
    running=$!
}
ended() { # sets code
    wait "$running"
    code=$?
    running=
}

sqlite3 app.db "PRAGMA journal_mode = WAL; CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
    INSERT INTO t SELECT i, 'row ' || i FROM n" >/dev/null
mkdir -p migrations/0001_fill
echo '{"table": "t", "add": {"b": {"type": "TEXT"}}, "forward": {"b": "upper(a)"}}' >migrations/0001_fill/migration.json

# ---- before anything was migrated ----
"$m" pause --reason early 2>err
same "pause before the first migration: code" 3 $?
"$m" throttle 0 2>err
same "throttle 0: code" 2 $?
"$m" throttle half 2>err
same "throttle half: code" 2 $?
"$m" pause 2>err
same "pause without a reason: code" 2 $?
"$m" apply --throttle-while 'wal_byte > 5' 2>err
same "a misspelt fact: code" 2 $?
has "a misspelt fact: hint" '*wal_bytes*' "$(cat err)"
"$m" apply --throttle-while '1 + 1' 2>err
same "no condition: code" 2 $?
"$m" apply --throttle-url 'ftp://x' 2>err
same "no URL: code" 2 $?

# ---- slowly, stopped, going on ----
"$m" apply --to dual-writing >/dev/null
"$m" throttle 0.02 >out
has "throttle says so" '*20 of 1000*' "$(cat out)"
begin
reach 100
"$m" pause 0001 --reason 'sales day' >out
same "pause" "0001_fill: paused" "$(cat out)"
ended
same "the running apply stops: code" 3 $code
has "the running apply stops: why" '*paused by ann*sales day*migrate resume*' "$(cat err)"
kept=$(done_rows)
same "it was throttled" 1 "$((kept < 40000))"
has "status: paused" '*paused by ann*sales day*' "$("$m" status)"
has "status: throttled" '*0.02 of the time*' "$("$m" status)"
same "status --json" 'ann sales day 0.02' "$("$m" status --json | jq -r '"\(.migrations[0].paused.by) \(.migrations[0].paused.reason) \(.throttle)"')"
same "the lock was given back" null "$("$m" status --json | jq .lock)"
"$m" apply --to in-sync 2>err
same "a later apply: code" 3 $?
has "a later apply: why" '*paused by ann*sales day*' "$(cat err)"
same "what was done is kept" "$kept" "$(done_rows)"

# ---- with --wait it stays, and a change of the ratio counts at once ----
begin --wait 60s
sleep 0.3
same "it waits" "$kept" "$(done_rows)"
"$m" resume >out
same "resume" "all migrations: resumed" "$(cat out)"
"$m" throttle 1 >/dev/null
ended
same "it goes on: code" 0 $code
same "every row" 0 "$(sqlite3 app.db 'SELECT count(*) FROM t WHERE b IS NOT upper(a)')"
same "counted right" 40000 "$(done_rows)"
same "history" "throttle pause resume throttle" "$("$m" history --json | jq -r '[.events[] | select(.event | IN("throttle", "pause", "resume")) | .event] | join(" ")')"
same "history: who and why" "ann sales day 0001_fill" "$("$m" history --json | jq -r '.events[] | select(.event == "pause") | "\(.actor) \(.detail) \(.migration)"')"

# ---- of all; one alone cannot go on ----
"$m" pause --reason audit >/dev/null
"$m" resume 0001 2>err
same "resume one of all: code" 3 $?
has "resume one of all: advice" '*all migrations are paused by ann (audit)*' "$(cat err)"

# ---- the way back is never paused ----
"$m" rollback >out 2>err
same "rollback while paused: code" 0 $?
"$m" resume >/dev/null

# ---- a condition from outside ----
later=$(date -u -d '+3 seconds' +%Y-%m-%dT%H:%M:%SZ)
began=$(date +%s%N)
"$m" apply --to in-sync --throttle-while "rows_done >= 50 && now < timestamp('$later')" >out 2>err
same "a veto that ends: code" 0 $?
same "a veto that ends: it waited" 1 "$(($(date +%s%N) - began > 1000000000))"
has "a veto that ends: who held it up" "*the throttle: rows_done >= 50*" "$(cat err)"
"$m" rollback >/dev/null 2>&1
begin --throttle-while '1 / (rows_done - rows_done) == 1'
reach 0
sleep 1
same "a condition that cannot be answered holds it up" 0 "$(done_rows)"
kill -9 "$running" 2>/dev/null
ended
has "and says so" '*cannot be answered*' "$(cat err)"

# ---- another statement begins anew, the same one goes on ----
"$m" throttle 0.001 >/dev/null
begin
reach 100
for _ in $(seq 600); do # a line comes behind a batch, and a busy machine's are long, as are the pauses
    grep -q ' of 40000' err && break
    sleep 0.1
done
kill -9 "$running"
ended
has "progress goes into a log as lines" '*backfill 0001_fill: * of 40000 (*%) rows*' "$(cat err)"
same "which nothing draws over" 0 "$(grep -c $'[\r\033]' err)"
kept=$(done_rows)
same "killed half-way" 1 "$((kept < 40000))"
sqlite3 app.db "UPDATE lockstep_journal SET digest = 'of another statement'; UPDATE t SET b = NULL"
"$m" throttle 1 >/dev/null
"$m" apply --to in-sync --json >out 2>err
same "another statement: code" 0 $?
same "another statement: all rows again" 40000 "$(jq '.steps[-1].backfilled' out)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
