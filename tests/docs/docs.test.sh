#!/usr/bin/env bash
# Runs every ```sh block of README.md and of docs/*.md, page by page, each page in a folder of its
# own: a command that fails fails the page. Blocks without "sh" are shown, not run.
set -u -o pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build}
case $build in /*) ;; *) build=$root/$build ;; esac
top=$(mktemp -d "${TMPDIR:-/tmp}/docs.XXXXXX")
trap 'rm -rf "$top"' EXIT
passed=0 failed=0

for page in "$root"/README.md "$root"/docs/*.md; do
    script=$top/page.sh
    awk '/^```sh$/ { on = 1; next } /^```/ { on = 0 } on' "$page" >"$script"
    [ -s "$script" ] || continue
    mkdir "$top/run"
    # timeout leads a process group: what a page leaves running (a server) ends with it
    (cd "$top/run" && PATH=$build:$PATH exec timeout 120 bash -e -o pipefail "$script") >"$top/out" 2>&1 &
    group=$!
    wait "$group"
    code=$?
    kill -KILL -- "-$group" 2>/dev/null
    if [ "$code" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok   ${page#"$root"/}"
    else
        failed=$((failed + 1))
        echo "FAIL ${page#"$root"/}"
        cat "$top/out"
    fi
    rm -rf "$top/run"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
