#!/usr/bin/env bash
# The test runner: what it counts, and that no kind of failure passes for a success.
set -u -o pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/runner.XXXXXX")
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# runs EXIT LAST-LINE PATTERN BODY...: a run over one script for each body
runs() {
    local want_code=$1 want_last=$2 pattern=$3 said code n=0 scripts=()
    shift 3
    for body in "$@"; do
        n=$((n + 1))
        printf '#!/usr/bin/env bash\n%s\n' "$body" >"$work/t$n.sh"
        chmod +x "$work/t$n.sh"
        scripts+=("$work/t$n.sh")
    done
    said=$(TEST_TIMEOUT=${limit:-20} "$root/tests/run.sh" "${scripts[@]}" 2>&1)
    code=$?
    if [ "$code" -eq "$want_code" ] && [ "$(tail -n 1 <<<"$said")" = "$want_last" ] && grep -qE "$pattern" <<<"$said"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL: exit %s, wanted %s and "%s" and /%s/ for: %s\n%s\n' "$code" "$want_code" "$want_last" "$pattern" "$*" "$said"
    fi
}

runs 0 '1 passed, 0 failed' '^ok ' 'exit 0'
runs 1 '0 passed, 1 failed' '^FAIL ' 'echo some reason; exit 3'
runs 1 '0 passed, 1 failed' 'some reason' 'echo some reason; exit 3'
runs 0 '7 passed, 0 failed' '^ok ' 'echo 4 passed, 0 failed' 'echo 3 passed, 0 failed'
runs 1 '5 passed, 2 failed' '^FAIL ' 'echo 5 passed, 2 failed; exit 1'
runs 1 '5 passed, 2 failed' '^FAIL ' 'echo 5 passed, 2 failed; exit 0' # it says so itself
runs 1 '5 passed, 1 failed' '^FAIL ' 'echo 5 passed, 0 failed; exit 1' # say, a leak at the end
runs 1 '0 passed, 1 failed' '^FAIL ' 'kill -SEGV $$'
runs 0 '3 passed, 0 failed' '^ok ' 'echo "[  PASSED  ] 3 test(s)." >&2'
runs 1 '2 passed, 1 failed' '^FAIL ' 'echo "[  PASSED  ] 2 test(s)."; echo "[  FAILED  ] 1 test(s), listed below:"; echo "[  FAILED  ] x"; exit 1'
runs 0 '3 passed, 0 failed' '^ok ' 'echo "[  PASSED  ] 1 test(s)."; echo "[  PASSED  ] 2 test(s)."'
limit=1 runs 1 '0 passed, 1 failed' 'ended after 1 s' 'sleep 30'
runs 0 '1 passed, 0 failed' '^ok ' '[ -d "$TMPDIR" ] && [ -z "$(ls -A "$TMPDIR")" ] && touch "$TMPDIR/x"'
runs 0 '1 passed, 0 failed' '^ok ' '[ "${BUILD#/}" != "$BUILD" ] && [ "${SHARED-unset}" != unset ]'
runs 0 '1 passed, 0 failed' '^ok ' '[ -z "${LOCKSTEP_URL:-}${LOCKSTEP_TOKEN:-}" ]'

# What a test leaves running is ended with it.
runs 0 '1 passed, 0 failed' '^ok ' "sleep 300 & echo \$! >'$work/left'"
sleep 0.2
# (a zombie has ended; it only waits for the machine's first process to notice)
if ps -o stat= -p "$(cat "$work/left")" | grep -qv '^Z'; then
    failed=$((failed + 1))
    echo "FAIL: a process outlived its test"
else
    passed=$((passed + 1))
fi

# What is absent is said in one line; nothing is, where everything is there.
said=$("$root/tests/run.sh" 2>&1)
lines=$(grep -c '^left out, because it is not here:' <<<"$said")
all=yes
for material in conformance/cel.json conformance/bucketing.json data/chinook.sql; do
    [ -e "$root/../shared/$material" ] || all=no
done
if { [ "$all" = yes ] && [ "$lines" -eq 0 ]; } || { [ "$all" = no ] && [ "$lines" -eq 1 ]; }; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
    printf 'FAIL: absent material\n%s\n' "$said"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
