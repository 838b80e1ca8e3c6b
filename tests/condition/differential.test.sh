#!/usr/bin/env bash
# Random conditions: what they come to is the same when they are printed as canonical source. With
# CHECK_FULL=1 200,000 of them are evaluated by cel-go too, and every difference must be one of those
# that differential/explained.go and docs/conditions.md name. SEED chooses others.
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
expressions=$BUILD/tests/condition/expressions
passed=0 failed=0

verdict() { # STATUS NAME
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $2"
    fi
}

"$expressions" "${SEED:-1}" 5000 >"$TMPDIR/lines"
verdict $? "printed and run again"
[ "$(wc -l <"$TMPDIR/lines")" -eq 5001 ]
verdict $? "a line each"

if [ -z "${CHECK_FULL:-}" ] || [ -n "${SAN:-}" ]; then
    echo "left out: cel-go beside it (CHECK_FULL=1, without sanitizers)"
elif ! command -v go >/dev/null 2>&1; then
    echo "left out: cel-go beside it, there is no go"
elif ! (cd "$here/differential" && GOTOOLCHAIN=local go build -buildvcs=false -o "$TMPDIR/differential" .) \
    >"$TMPDIR/go" 2>&1; then
    echo "left out: cel-go beside it, it could not be built: $(tail -n 1 "$TMPDIR/go")"
else
    "$expressions" "${SEED:-1}" 200000 | "$TMPDIR/differential" >"$TMPDIR/differences"
    verdict $? "differences that are not explained"
    grep '^UNEXPLAINED' "$TMPDIR/differences" | head -n 20
    sed -n '/^[0-9]* expressions: /,$p' "$TMPDIR/differences"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
