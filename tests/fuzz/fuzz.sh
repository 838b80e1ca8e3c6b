#!/usr/bin/env bash
# Runs the fuzz targets one after the other: tests/fuzz/fuzz.sh BINARIES WORK
# From the environment: FUZZ_SECONDS for each (60), or FUZZ_RUNS executions instead; FUZZ_TARGETS
# (all); FUZZ_MERGE=1 to bring what reaches new code into the committed corpus. The condition targets
# start from the cases of tests/condition too, and from the official ones where they are at hand.
# Prints for each the executions, the edges covered and the execution that reached the last new one.
# Exit 1 if a target ended in a crash; its input is kept.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 2

binaries=$1/tests/fuzz work=$2
targets=${FUZZ_TARGETS:-}
[ -n "$targets" ] || targets=$(for source in tests/fuzz/fuzz_*.c; do basename "${source#*fuzz_}" .c; done)
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:detect_stack_use_after_return=1:quarantine_size_mb=16}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}

# seeds FOLDER FILE...: each condition of the case files as a file.
seeds() {
    local folder=$1 expression count=0
    shift
    mkdir -p "$folder"
    while IFS= read -r -d '' expression; do
        printf '%s' "$expression" >"$folder/$((count += 1))"
    done < <(jq -j '.tests[].expr // empty | . + "\u0000"' "$@")
}

# Makes the committed corpus anew from it and what has grown: the smallest files first, each that
# reaches code which none before reached; of those the 190 that add most. What is called found-* was
# a finding, and stays.
merge() {
    local control=$work/$target.control chosen=$work/$target.chosen
    rm -rf "$control" "$chosen"
    mkdir "$chosen"
    "$binary" -merge=1 -max_len=1024 -merge_control_file="$control" "$chosen" "$committed" "$grown" \
        >>"$work/$target.log" 2>&1 || return 1
    rm -f "$chosen"/*
    awk 'NR == 1 { files = $1 } NR > 2 && NR <= 2 + files { name[NR - 3] = $0 }
        $1 == "COV" && NF > 2 { print NF - 2, name[$2] }' "$control" | sort -s -k1,1nr | sed '191,$d' |
        cut -d ' ' -f 2- | xargs -d '\n' cp -t "$chosen" || return 1
    cp "$committed"/found-* "$chosen" 2>/dev/null
    rm -f "$committed"/*
    cp "$chosen"/* "$committed"
    printf '%-10s %9s files, %s bytes kept\n' '' "$(ls "$committed" | wc -l)" "$(cat "$committed"/* | wc -c)"
}

crashed=
for target in $targets; do
    binary=$binaries/fuzz_$target
    grown=$work/$target
    committed=tests/fuzz/corpus/$(basename "$target")
    mkdir -p "$grown" "$committed"
    options=(-rss_limit_mb=2048 -timeout=10) folders=("$grown" "$committed") dictionary=$target longest=4096
    case $target in
    compile | evaluate)
        dictionary=condition longest=512
        seeds "$work/seeds" tests/condition/*.json
        folders+=("$work/seeds")
        if [ -e ../shared/conformance/cel.json ]; then
            seeds "$work/official" ../shared/conformance/cel.json
            folders+=("$work/official")
        fi
        ;;
    regex) longest=512 ;;
    esac
    [ ! -e "tests/fuzz/$dictionary.dict" ] || options+=("-dict=tests/fuzz/$dictionary.dict")
    if [ -n "${FUZZ_RUNS:-}" ]; then
        options+=("-runs=$FUZZ_RUNS")
    else
        options+=("-max_total_time=${FUZZ_SECONDS:-60}")
    fi
    "$binary" "${options[@]}" -max_len="$longest" -print_final_stats=1 \
        -artifact_prefix="$work/$target-" "${folders[@]}" >"$work/$target.log" 2>&1
    code=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$target.log")
    # "#123  NEW  cov: 45 ...": the last line in which cov is more than before
    awk -v target="$target" -v runs="${runs:-?}" -v code="$code" '
        /^#[0-9]+\t/ { for (i = 2; i < NF; i++) if ($i == "cov:" && $(i + 1) > cov) { cov = $(i + 1); at = substr($1, 2) } }
        END { printf "%-10s %9s runs, %5s edges covered, the last new one by run %s%s\n", target, runs, cov + 0,
            at + 0, code ? ", CRASHED" : "" }' "$work/$target.log"
    if [ "$code" -ne 0 ]; then
        crashed="$crashed $target"
        grep -aE 'broken promise|check failed|runtime error|ERROR:|SUMMARY|written to' "$work/$target.log" |
            sed 's/^/    /'
    elif [ -n "${FUZZ_MERGE:-}" ]; then
        merge || crashed="$crashed $target"
    fi
done
[ -z "$crashed" ] || {
    echo "crashed:$crashed (a kept input is run again by naming it to the target's binary)"
    exit 1
}
