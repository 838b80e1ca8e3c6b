#!/usr/bin/env bash
# What matches() makes of the patterns of regexes.txt is what RE2 does, as Go's regexp has it. With
# CHECK_FULL=1, where there is a go, the table is checked against Go's regexp, and so are 200,000
# random patterns with six subjects each; SEED chooses others. GOLDEN=1 then writes the table anew.
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
table=$here/regexes.txt
patterns=$BUILD/tests/condition/patterns
passed=0 failed=0

verdict() { # STATUS NAME
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $2"
    fi
}

answers() { grep -av '^[#=]' "$table" | grep -a .; }

"$patterns" table "$table" >"$TMPDIR/lines"
verdict $? "the table can be read"
if [ -n "${GOLDEN:-}" ] && [ -n "${CHECK_FULL:-}" ] && command -v go >/dev/null; then
    (cd "$here/differential" && GOTOOLCHAIN=local go build -buildvcs=false -o "$TMPDIR/regexes" ./regexes) || exit 1
    "$TMPDIR/regexes" answers <"$TMPDIR/lines" >"$TMPDIR/theirs"
    # "!" where only we refuse
    jq -r .r "$TMPDIR/lines" | paste - "$TMPDIR/theirs" |
        awk -F'\t' -v OFS='\t' '{ print ($1 == "refused" && $2 != "refused" ? "!" : "") $2, $3 }' >"$TMPDIR/answers"
    awk -v from="$TMPDIR/answers" '/^[#=]/ || /^$/ { print; next } { getline line <from; print line }' \
        "$table" >"$TMPDIR/table" && cp "$TMPDIR/table" "$table"
fi

# A line each: how many are right, and which are not.
while IFS=$'\t' read -r wanted got pattern; do
    case $wanted in !*) wanted=refused ;; esac
    [ "$wanted" = "$got" ]
    verdict $? "$pattern: $got, expected $wanted"
done < <(paste <(answers | cut -f 1) <(jq -r '[.r, .p] | join("\t")' "$TMPDIR/lines"))

if [ -z "${CHECK_FULL:-}" ] || [ -n "${SAN:-}" ]; then
    echo "left out: Go's regexp beside it (CHECK_FULL=1, without sanitizers)"
elif ! command -v go >/dev/null 2>&1; then
    echo "left out: Go's regexp beside it, there is no go"
elif ! (cd "$here/differential" && GOTOOLCHAIN=local go build -buildvcs=false -o "$TMPDIR/regexes" ./regexes) \
    >"$TMPDIR/go" 2>&1; then
    echo "left out: Go's regexp beside it, it could not be built: $(tail -n 1 "$TMPDIR/go")"
else
    "$TMPDIR/regexes" answers <"$TMPDIR/lines" | diff - <(answers | sed 's/^!//') >"$TMPDIR/diff"
    verdict $? "the table is not what Go's regexp says: $(head -n 4 "$TMPDIR/diff")"
    "$patterns" "${SEED:-1}" 200000 | "$TMPDIR/regexes" >"$TMPDIR/differences"
    verdict $? "differences that are not explained"
    grep -a '^UNEXPLAINED' "$TMPDIR/differences" | head -n 20
    sed -n '/^[0-9]* patterns: /,$p' "$TMPDIR/differences"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
