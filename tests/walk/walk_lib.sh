# Shared by the walk tests: a flag server, and checks that are counted.
set -u -o pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${BUILD:-$root/build}
case $build in /*) ;; *) build=$root/$build ;; esac
shared=${SHARED-$root/../shared}
work=$(mktemp -d "${TMPDIR:-/tmp}/walk.XXXXXX")
passed=0 failed=0 server_pid=

start_server() {
    rm -f "$work/port"
    "$build/flag-server" serve --store "sqlite:$work/flags.db" --listen "127.0.0.1:${1:-0}" --port-file "$work/port" \
        2>>"$work/server.log" &
    server_pid=$!
    for _ in $(seq 200); do [ -s "$work/port" ] && break; sleep 0.05; done
    LOCKSTEP_URL=http://127.0.0.1:$(cat "$work/port")
    export LOCKSTEP_URL LOCKSTEP_FLAG_SERVER=$LOCKSTEP_URL
}
init_server() {
    "$build/flag-server" init --store "sqlite:$work/flags.db" --environment test --token-file "$work/token" >/dev/null || exit 1
    LOCKSTEP_TOKEN=$(cat "$work/token")
    export LOCKSTEP_TOKEN
    start_server
}
stop_server() {
    [ -n "$server_pid" ] || return 0
    kill -TERM "$server_pid" 2>/dev/null
    wait "$server_pid"
    server_pid=
}
trap 'kill -9 $server_pid 2>/dev/null; jobs -p | xargs -r kill -9 2>/dev/null; rm -rf "$work"' EXIT

# same WHAT EXPECTED SEEN
same() {
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL %s\n  expected: %s\n  seen:     %s\n' "$1" "$2" "$3"
    fi
}
# exits WHAT CODE COMMAND...: runs it, keeps what it said in $said
exits() {
    local what=$1 want=$2 got
    shift 2
    said=$("$@" 2>&1)
    got=$?
    same "$what" "$want" "$got"
    [ "$got" = "$want" ] || printf '%s\n' "$said"
}
# says WHAT PATTERN: the last command's words match the glob
says() {
    # shellcheck disable=SC2254
    case $said in $2) passed=$((passed + 1)) ;; *) failed=$((failed + 1)); printf 'FAIL %s\n  wanted: %s\n  said:   %s\n' "$1" "$2" "$said" ;; esac
}
sql() { sqlite3 -bail -cmd '.timeout 5000' "$db" "$@" 2>&1; }
finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}
