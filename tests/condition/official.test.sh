#!/usr/bin/env bash
# The official CEL cases as npm's @bufbuild/cel-spec carries them, but for those that need protobuf:
# from their text, and from the canonical source. With CHECK_FULL=1, where there is node with npm; the
# package is the one that bench/package-lock.json names.
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
passed=0 failed=0
if [ -z "${CHECK_FULL:-}" ] || [ -n "${SAN:-}" ]; then
    echo "left out: the official CEL cases of npm (CHECK_FULL=1, without sanitizers)"
elif ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
    echo "left out: the official CEL cases of npm, there is no node with npm"
elif ! (cp "$here/bench/package.json" "$here/bench/package-lock.json" "$TMPDIR/" && cd "$TMPDIR" &&
    npm ci --no-audit --no-fund --ignore-scripts) >"$TMPDIR/npm" 2>&1; then
    echo "left out: the official CEL cases of npm: $(grep -m 1 'npm error' "$TMPDIR/npm")"
else
    node "$here/official.mjs" "$TMPDIR/node_modules/@bufbuild/cel-spec" >"$TMPDIR/cases.json" || failed=1
    for how in '' --printed; do
        # shellcheck disable=SC2086 # an option or none
        out=$("$BUILD/condition" test "$TMPDIR/cases.json" $how)
        counts=$(tail -n 1 <<<"$out")
        head -n -1 <<<"$out"
        [[ $counts =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]] || { failed=$((failed + 1)); continue; }
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    done
    [ "$passed" -gt 3000 ] || { echo "hardly any cases"; failed=$((failed + 1)); }
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
