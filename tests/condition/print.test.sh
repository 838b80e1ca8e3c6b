#!/usr/bin/env bash
# Canonical source: each line of printed.txt is SOURCE // => PRINTED, and what is printed is printed
# the same again. `make golden` writes the right sides anew.
set -u
folder=$(cd "$(dirname "$0")" && pwd)
passed=0 failed=0
new=$TMPDIR/printed.txt

while IFS= read -r line; do
    source=${line%% // => *} wanted=${line#* // => }
    got=$("$BUILD/condition" print -- "$source" 2>&1)
    again=$("$BUILD/condition" print -- "$got" 2>&1)
    printf '%s // => %s\n' "$source" "$got" >>"$new"
    if { [ "$got" = "$wanted" ] || [ -n "${GOLDEN:-}" ]; } && [ "$again" = "$got" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s\n  wanted: %s\n  got:    %s\n  again:  %s\n' "$source" "$wanted" "$got" "$again"
    fi
done <"$folder/printed.txt"

[ -z "${GOLDEN:-}" ] || cp "$new" "$folder/printed.txt"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
