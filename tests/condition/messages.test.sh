#!/usr/bin/env bash
# Every message of messages.txt, exactly. A block is
#     > EXPRESSION
#     @ OPTION VALUE        (any number of times: options of `condition eval`)
#     the message, as it is printed
# and ends with an empty line. `make golden` writes the messages anew, for review as a diff.
set -u
folder=$(cd "$(dirname "$0")" && pwd)
file=$folder/messages.txt
passed=0 failed=0
new=$(mktemp)

check() {
    local got
    [[ $given == *--now* ]] || options+=(--now 2026-11-21T08:30:00Z)
    got=$("$BUILD/condition" eval "${options[@]}" -- "$expression" 2>&1)
    printf '> %s\n%s%s\n\n' "$expression" "$given" "$got" >>"$new"
    if [ "$got" = "$wanted" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'expression: %s\nwanted:\n%s\ngot:\n%s\n' "$expression" "$wanted" "$got"
    fi
}

expression='' wanted='' given='' options=()
while IFS= read -r line || [ -n "$line" ]; do
    case $line in
    '> '*) expression=${line#> } wanted='' given='' options=() ;;
    '@ '*)
        given+=$line$'\n'
        line=${line#@ }
        options+=("${line%% *}" "${line#* }")
        ;;
    '') [ -z "$expression" ] || check; expression='' ;;
    *) wanted+=${wanted:+$'\n'}$line ;;
    esac
done <"$file"
[ -z "$expression" ] || check

if [ -n "${GOLDEN:-}" ]; then
    cp "$new" "$file"
    failed=0
fi
rm -f "$new"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
