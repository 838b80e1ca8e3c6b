#!/usr/bin/env bash
# Runs the case files of this folder, and the official CEL cases where they are at hand, first as they
# stand, then from the canonical source that each condition is printed as (which must be printed the
# same again). Closes with "N passed, N failed".
set -u
folder=$(cd "$(dirname "$0")" && pwd)
passed=0 failed=0

run() { # FILE OPTION...
    local out counts
    out=$("$BUILD/condition" test "$@")
    counts=$(tail -n 1 <<<"$out")
    if [[ ! $counts =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        echo "$1: no count at the end"
        failed=$((failed + 1))
        return
    fi
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    head -n -1 <<<"$out"
}

for file in "$folder"/*.json; do
    run "$file"
    run "$file" --printed
done
if [ -n "${SHARED:-}" ] && [ -f "$SHARED/conformance/cel.json" ]; then
    run "$SHARED/conformance/cel.json"
    run "$SHARED/conformance/cel.json" --printed
else
    echo "left out: the official CEL cases (../shared/conformance/cel.json is not there)"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
