#!/usr/bin/env bash
# Prints which share of the engine's lines the tests of this folder and the fuzz corpus reach:
#     CHECK_FULL=1 tests/condition/coverage.test.sh [FOLDER FOR THE BUILD]
# At least 95 % of each of lexer, parser, checker, compiler, evaluator and the regex front end.
set -u
if [ -z "${CHECK_FULL:-}" ] || [ -n "${SAN:-}" ]; then
    echo "left out: line coverage (CHECK_FULL=1, without sanitizers)"
    echo "0 passed, 0 failed"
    exit 0
fi
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:-$(mktemp -d "${TMPDIR:-/tmp}/coverage.XXXXXX")}
[ $# -gt 0 ] || trap 'rm -rf "$build"' EXIT
cd "$root" || exit 1

tests=$(ls tests/condition/test_*.c tests/fuzz/fuzz_compile.c tests/fuzz/fuzz_evaluate.c tests/fuzz/fuzz_regex.c | sed "s|^|$build/|; s|\.c\$||")
# shellcheck disable=SC2086 # a list
env -u MAKEFLAGS make -s -j"$(nproc)" BUILD="$build" CFLAGS='-O0 -g --coverage' LDFLAGS=--coverage HARDENING= \
    "$build/condition" "$build/tests/condition/expressions" "$build/tests/condition/patterns" $tests >"$build.log" 2>&1 || { cat "$build.log"; exit 1; }
rm -f "$build.log"
find "$build" -name '*.gcda' -delete
export BUILD=$build SHARED=${SHARED:-$(cd ../shared 2>/dev/null && pwd)} SAN='' GOLDEN='' CHECK_FULL=''
TMPDIR=$(mktemp -d)
export TMPDIR
passed=0 failed=0
fails() {
    echo "FAILED $1 in a build for coverage"
    failed=$((failed + 1))
}
for test in $tests; do
    "$test" >/dev/null 2>&1 || fails "$test"
done
for script in cases condition messages conditions_page outputs print differential regexes; do
    bash "tests/condition/$script.test.sh" >/dev/null 2>&1 || fails "$script.test.sh"
done
rm -rf "$TMPDIR"

# FILE: "lines-reached lines"
lines() {
    gcov -n -o "$build/obj/${1%.c}.gcno" "$1" 2>/dev/null |
        awk -v file="File '$1'" '$0 == file { on = 1; next }
            on && /^Lines executed/ { split($0, n, /[:% ]+/); printf "%.0f %d\n", n[3] * n[5] / 100, n[5]; exit }'
}

group() { # NAME FILE...
    local name=$1 reached=0 all=0 file counts
    shift
    for file in "$@"; do
        counts=$(lines "condition/$file.c")
        reached=$((reached + ${counts% *})) all=$((all + ${counts#* }))
    done
    awk -v n="$name" -v r="$reached" -v a="$all" 'BEGIN {
        share = a ? 100 * r / a : 0
        printf "  %-22s %6.2f %%  of %5d lines  %s\n", n, share, a, share < 95 ? "MISSED (at least 95 %)" : "ok"
        exit share < 95 }' && passed=$((passed + 1)) || failed=$((failed + 1))
}

group lexer lexer
group parser parser macro
group checker check check_calls check_names types
group compiler generate fold condition
group evaluator eval operate quick value
group 'regex front end' regex pattern property
# shellcheck disable=SC2046 # a list
group 'all of the engine' $(ls condition/*.c | xargs -n 1 basename -s .c)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
