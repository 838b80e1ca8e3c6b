#!/usr/bin/env bash
# Plants twelve faults, one at a time, into a copy of the tree, and sees the tests of this folder
# find each. It builds thirteen times, so CHECK_FULL=1 is needed:
#     CHECK_FULL=1 tests/condition/planted_faults.test.sh [FOLDER FOR THE COPY]
# A fault is a line of the list below: name | file | what sed -E does to it.
set -u
if [ -z "${CHECK_FULL:-}" ] || [ -n "${SAN:-}" ]; then
    echo "left out: planted faults (CHECK_FULL=1, without sanitizers)"
    echo "0 passed, 0 failed"
    exit 0
fi
root=$(cd "$(dirname "$0")/../.." && pwd)
copy=${1:-$(mktemp -d "${TMPDIR:-/tmp}/planted.XXXXXX")}
[ $# -gt 0 ] || trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/tests"
passed=0 failed=0

faults='a dropped bound: brackets in each other | parser.c | s/c->depth >= CEL_NESTING_MAX/c->depth >= 1000000u/
a dropped bound: the product of nested repeats | pattern.c | s/s->last_repeat \* high > REPEAT_MAX/false/
a bound one too large: the stack of values | generate.c | s/g->height > CEL_STACK_MAX/g->height > CEL_STACK_MAX + 1/
an inverted absorption: the last operand of && | eval.c | s/sp->as\.truth == \(i->op == CEL_OR_LAST\)/sp->as.truth == (i->op != CEL_OR_LAST)/
an absorption that forgets the error on the left | eval.c | s/^( *)if \(sp\[-1\]\.kind == CEL_KIND_ERROR\)$/\1if (sp[-1].kind == 99)/
an overflow that wraps: uint + uint | operate.c | s/return __builtin_add_overflow\(a->as\.u, b->as\.u, &a->as\.u\) \? FAULT_OVERFLOW : FAULT_NONE/return (a->as.u += b->as.u, FAULT_NONE)/
an off-by-one in a slice | builtin_string.c | s/return index == 0;/return index <= 1;/
an inverted order of texts | value.c | s/return order < 0 \? -1 : 1;/return order > 0 ? -1 : 1;/
an off-by-one in a literal: one past the greatest int | parser.c | s/\(uint64_t\)INT64_MAX \+ negative/(uint64_t)INT64_MAX + 1/
a century that is a leap year | moment.c | s/year % 100 != 0/true/
a domain that ends like another | quick.c | s/\(!below \|\| tail\[rest - 1\] != .\..\)/!below/
a subject longer than it may be | regex.c | s/if \(len > CEL_SUBJECT_MAX \|\| /if (/'

tests="test_limits test_api test_defects test_quick test_domain"
scripts="cases messages print"

build() {
    (cd "$copy" && env -u MAKEFLAGS -u MAKELEVEL make -s -j"$(nproc)" BUILD="$copy/build" CFLAGS=-O0 "$copy/build/condition" \
        $(printf "$copy/build/tests/condition/%s " $tests) >"$copy/make.log" 2>&1)
}

# Says who finds something wrong; nothing if nobody does.
found_by() {
    local name
    export TMPDIR=$copy/tmp
    mkdir -p "$TMPDIR"
    for name in $tests; do
        (cd "$copy" && timeout 60 "build/tests/condition/$name") >/dev/null 2>&1 || { echo "$name"; return; }
    done
    for name in $scripts; do
        BUILD=$copy/build SHARED='' GOLDEN='' timeout 120 bash "$copy/tests/condition/$name.test.sh" >/dev/null 2>&1 ||
            { echo "$name.test.sh"; return; }
    done
}

cp -r "$root/Makefile" "$root/.ci" "$root/base" "$root/condition" "$copy/"
cp -r "$root/tests/condition" "$copy/tests/"
build || { echo "the copy cannot be built:"; cat "$copy/make.log"; exit 1; }
who=$(found_by)
[ -z "$who" ] || { echo "without a fault $who fails already"; exit 1; }

while IFS= read -r line; do
    name=${line%% | *} rest=${line#* | }
    file=$copy/condition/${rest%% | *} change=${rest#* | }
    cp -p "$file" "$copy/sound"
    sed -E -i "$change" "$file"
    if cmp -s "$file" "$copy/sound"; then
        who='' note='nothing to change: the list is out of date'
    elif ! build; then
        who='' note="it does not compile: $(grep -m 1 error "$copy/make.log")"
    else
        who=$(found_by) note='nobody finds it'
    fi
    if [ -n "$who" ]; then
        passed=$((passed + 1))
        echo "found by $who: $name"
    else
        failed=$((failed + 1))
        echo "FAILED $name: $note"
    fi
    cp "$copy/sound" "$file"
done <<<"$faults"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
