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

# Every function of the library stands in the page's tables, and in an example.
while IFS= read -r name; do
    # shellcheck disable=SC2016 # the backtick is the page's
    if grep -qE "^\\| .*[\`.]${name//./\\.}\\(" "$page" && awk '/^```cel$/ { on = 1; next } /^```/ { on = 0 } on' "$page" |
        grep -qE "(^|[^[:alnum:]_])${name//./\\.}\\("; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "the page leaves out $name()"
    fi
done < <(sed -n 's/^    {"\([A-Za-z0-9_.]*\)", cel_fn_.*/\1/p' "$(dirname "$page")/../condition/library.c")

[ "$passed" -gt 200 ] || { echo "the page has hardly any examples"; failed=$((failed + 1)); }
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
