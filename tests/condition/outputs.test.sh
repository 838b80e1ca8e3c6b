#!/usr/bin/env bash
# What eval, explain, print, reads and disassemble print, exactly, as text and as JSON. A block of
# outputs.txt is
#     $ ARGUMENTS OF condition, AS A SHELL READS THEM
#     the output; stderr too
#     exit CODE
# and ends with an empty line. `make golden` writes the outputs anew.
set -u
folder=$(cd "$(dirname "$0")" && pwd)
file=$folder/outputs.txt
passed=0 failed=0
new=$TMPDIR/outputs.txt
: >"$new"

check() {
    local got code
    eval "set -- $arguments"
    got=$("$BUILD/condition" "$@" 2>&1)
    code=$?
    got=${got:+$got$'\n'}"exit $code"
    printf '$ %s\n%s\n\n' "$arguments" "$got" >>"$new"
    if [ "$got" = "$wanted" ] || [ -n "${GOLDEN:-}" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'condition %s\n' "$arguments"
        diff <(echo "$wanted") <(echo "$got")
    fi
}

arguments='' wanted=''
while IFS= read -r line || [ -n "$line" ]; do
    case $line in
    '$ '*) arguments=${line#$ } wanted='' ;;
    '') [ -z "$arguments" ] || check; arguments='' ;;
    *) wanted+=${wanted:+$'\n'}$line ;;
    esac
done <"$file"
[ -z "$arguments" ] || check

[ -z "${GOLDEN:-}" ] || cp "$new" "$file"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
