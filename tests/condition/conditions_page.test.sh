#!/usr/bin/env bash
# Runs the examples of docs/conditions.md: each line "expression // => value" of its cel blocks,
# with the variables of its json block. "error: text" is the beginning of the message.
set -u
page=$(cd "$(dirname "$0")/../.." && pwd)/docs/conditions.md
passed=0 failed=0
vars=$(awk '/^```json$/ { on = 1; next } /^```/ { on = 0 } on' "$page")

while IFS= read -r line; do
    expression=${line%% // => *} wanted=${line#* // => }
    got=$("$BUILD/condition" eval "$expression" --vars "$vars" --now 2026-11-21T08:30:00Z 2>&1)
    case $wanted in
    'error: '*) [[ $got == "ERROR: "*": ${wanted#error: }"* ]] ;;
    *) [ "$got" = "$wanted" ] ;;
    esac
    if [ $? -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s\n  page: %s\n  is:   %s\n' "$expression" "$wanted" "$got"
    fi
done < <(awk '/^```cel$/ { on = 1; next } /^```/ { on = 0 } on' "$page")

[ "$passed" -gt 100 ] || { echo "the page has hardly any examples"; failed=$((failed + 1)); }
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
