#!/usr/bin/env bash
# Runs test binaries and test scripts, two at once, and adds up their cases:
#     tests/run.sh TEST...
# A line for each test, the output of those that failed, and at last "N passed, N failed"; with
# CHECK_FULL also what a test says behind "proof: ", as how often it killed what.
# From the environment: BUILD, SAN, JOBS (2), TEST_TIMEOUT in seconds (120; with sanitizers 360; with
# CHECK_FULL 3600).
# Unless TMPDIR is set, binaries get theirs in memory (/dev/shm), if there is a gigabyte: most of what
# they do is to open databases anew, and to wait until each COMMIT has reached the disk.
# Each test finds BUILD (absolute), SHARED (what lies beside the project, or empty) and an empty
# TMPDIR of its own; what it leaves running in its process group is ended.
set -u -o pipefail

root=$(cd "$(dirname "$0")/.." && pwd)

# cases FILE: prints "passed failed" as the output tells them, or nothing.
cases() {
    awk '
        /^\[  PASSED  \] [0-9]+ test/ { passed += $4; told = 1 }
        /^\[  FAILED  \] [0-9]+ test/ { failed += $4; told = 1 }
        { last = $0 }
        END {
            if (match(last, /^[0-9]+ passed, [0-9]+ failed$/)) {
                split(last, n, " ")
                passed += n[1]; failed += n[3]; told = 1
            }
            if (told) print passed + 0, failed + 0
        }' "$1"
}

run_one() {
    local test=$1 name=${1#"$RUN_STRIP"} out code passed failed counts began took verdict=ok
    name=${name#"$root/"}
    out=$(mktemp "$RUN_RESULTS/out.XXXXXX")
    case ${test##*/} in
    test_*) TMPDIR=$(mktemp -d "$RUN_MEMORY/tmp.XXXXXX") ;;
    *) TMPDIR=$(mktemp -d "$RUN_RESULTS/tmp.XXXXXX") ;; # a script may run what it compiles there
    esac
    export TMPDIR
    chmod 0711 "$TMPDIR" # a test that gives up root's rights must still reach its files
    began=$(date +%s%N)
    # timeout leads a process group of its own, so what is left of it has a name afterwards
    timeout --kill-after=5 "$TEST_TIMEOUT" "$test" </dev/null >"$out" 2>&1 &
    local group=$!
    wait "$group"
    code=$?
    kill -KILL -- "-$group" 2>/dev/null
    took=$((($(date +%s%N) - began) / 1000000))
    counts=$(cases "$out")
    passed=${counts% *} failed=${counts#* }
    if [ -z "$counts" ]; then
        passed=$((code == 0)) failed=$((code != 0))
    elif [ "$code" -ne 0 ] && [ "$failed" -eq 0 ]; then
        failed=1 # a crash, a leak or a timeout after its cases
    elif [ "$code" -eq 0 ] && [ "$failed" -ne 0 ]; then
        code=1
    fi
    [ "$failed" -eq 0 ] || verdict=FAIL
    printf '%s %s %s\n' "$passed" "$failed" "$name" >"$out.count"
    {
        printf '%-4s %-44s %4d passed, %d failed  %d.%d s\n' "$verdict" "$name" "$passed" "$failed" \
            $((took / 1000)) $((took % 1000 / 100))
        if [ "$failed" -ne 0 ]; then
            [ "$code" -ne 124 ] && [ "$code" -ne 137 ] || echo "     (ended after $TEST_TIMEOUT s, or killed)"
            tail -c 20000 "$out" | sed 's/^/     /'
        elif [ -n "${CHECK_FULL:-}" ]; then
            sed -n 's/^proof: /     /p' "$out"
        fi
    } >"$out.line"
    cat "$out.line" # in one piece, as two tests write at once
    rm -rf "$TMPDIR" "$out" "$out.line"
}

if [ "${1:-}" = --one ]; then
    run_one "$2"
    exit 0
fi

export BUILD=${BUILD:-$root/build}
export SHARED=
[ ! -d "$root/../shared" ] || SHARED=$(cd "$root/../shared" && pwd)
SAN=${SAN:-}
[ -z "${CHECK_FULL:-}" ] || TEST_TIMEOUT=${TEST_TIMEOUT:-3600}
if [ -n "$SAN" ]; then
    export TEST_TIMEOUT=${TEST_TIMEOUT:-360}
    export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1}
    export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
    export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}
else
    export TEST_TIMEOUT=${TEST_TIMEOUT:-120}
fi
export SAN
unset LOCKSTEP_URL LOCKSTEP_TOKEN LOCKSTEP_DATABASE LOCKSTEP_FLAG_SERVER LOCKSTEP_MIGRATIONS \
    LOCKSTEP_ENVIRONMENT NO_COLOR MAKEFLAGS MAKELEVEL MFLAGS

absent=
for material in conformance/cel.json conformance/bucketing.json data/chinook.sql; do
    [ -n "$SHARED" ] && [ -e "$SHARED/$material" ] || absent="$absent ../shared/$material"
done
[ -z "$absent" ] || echo "left out, because it is not here:$absent"

RUN_RESULTS=$(mktemp -d "${TMPDIR:-/tmp}/lockstep-tests.XXXXXX") || exit 1
export RUN_RESULTS
chmod 0711 "$RUN_RESULTS"
RUN_MEMORY=$RUN_RESULTS
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ] &&
    [ "$(df -Pk /dev/shm | awk 'END { print $4 }')" -gt $((1 << 20)) ]; then
    RUN_MEMORY=$(mktemp -d /dev/shm/lockstep-tests.XXXXXX) || exit 1
    chmod 0711 "$RUN_MEMORY"
fi
export RUN_MEMORY
export RUN_STRIP=$BUILD/
trap 'chmod -R u+rwX "$RUN_RESULTS" "$RUN_MEMORY" 2>/dev/null; rm -rf "$RUN_RESULTS" "$RUN_MEMORY"' EXIT

cd "$root" || exit 1
tests=()
for test in "$@"; do
    case $test in /*) tests+=("$test") ;; *) tests+=("$root/$test") ;; esac
done
if [ "${#tests[@]}" -gt 0 ]; then
    printf '%s\0' "${tests[@]}" | xargs -0 -n 1 -P "${JOBS:-2}" "$root/tests/run.sh" --one
fi

finished=0 passed=0 failed=0
for count in "$RUN_RESULTS"/*.count; do
    [ -e "$count" ] || continue
    read -r p f name <"$count"
    finished=$((finished + 1)) passed=$((passed + p)) failed=$((failed + f))
    [ "$f" -eq 0 ] || echo "failed: $name"
done
if [ "$finished" -ne "${#tests[@]}" ]; then
    echo "failed: $((${#tests[@]} - finished)) tests did not report"
    failed=$((failed + ${#tests[@]} - finished))
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
