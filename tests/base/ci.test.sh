#!/usr/bin/env bash
# .ci/run: what it calls, in which order, and that its last line and exit code tell the truth. make is
# a stand-in that plays each outcome.
set -u -o pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/ci.XXXXXX")
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
mkdir -p "$work/bin" "$work/tree/.ci"
cp "$root/.ci/run" "$work/tree/.ci/run"

# The stand-in notes its arguments and does what $1, $2, $3 ... of "plays" say for each call.
cat >"$work/bin/make" <<'SH'
#!/bin/sh
echo "$* WERROR=$WERROR CI=$CI" >>"$WORK/calls"
sh "$WORK/play$(wc -l <"$WORK/calls")"
SH
chmod +x "$work/bin/make"

# plays EXIT LAST-LINE CALLS BODY...
plays() {
    local want_code=$1 want_last=$2 want_calls=$3 said code n=0
    shift 3
    rm -f "$work"/play* "$work/calls"
    for body in "$@"; do n=$((n + 1)) && echo "$body" >"$work/play$n"; done
    said=$(WORK=$work PATH=$work/bin:$PATH bash "$work/tree/.ci/run" 2>&1)
    code=$?
    if [ "$code" -eq "$want_code" ] && [ "$(tail -n 1 <<<"$said")" = "$want_last" ] &&
        [ "$(wc -l <"$work/calls")" -eq "$want_calls" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL: exit %s (wanted %s), wanted "%s" after %s calls\n%s\n' "$code" "$want_code" "$want_last" "$want_calls" "$said"
    fi
}

plays 0 '13 passed, 0 failed' 3 'echo 7 passed, 0 failed' 'echo clean' 'echo 5 passed, 0 failed'
if [ "$(cat "$work/calls")" = "check WERROR=1 CI=true
lint WERROR=1 CI=true
check SAN=address,undefined WERROR=1 CI=true" ]; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
    cat "$work/calls"
fi
plays 1 '6 passed, 1 failed' 1 'echo 6 passed, 1 failed; exit 2'
plays 1 '0 passed, 1 failed' 1 'echo does not compile; exit 2'
plays 1 '0 passed, 1 failed' 1 'echo 6 passed, 0 failed; exit 2' # never a success with a wrong exit
plays 1 '7 passed, 1 failed' 2 'echo 7 passed, 0 failed' 'echo dirty; exit 2'
plays 1 '12 passed, 2 failed' 3 'echo 7 passed, 0 failed' 'echo clean' 'echo 4 passed, 2 failed; exit 2'
plays 1 '8 passed, 1 failed' 3 'echo 7 passed, 0 failed' 'echo clean' 'kill -SEGV $$'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
