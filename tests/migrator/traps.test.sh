#!/usr/bin/env bash
# Every trap that tests/migrator/README.md lists names something that exists.
set -u
here=$(cd "$(dirname "$0")" && pwd)
passed=0 failed=0
while IFS= read -r name; do
    found=1
    case $name in
    cases/*) [ -e "$here/$name/migration.json" ] && [ -e "$here/$name/old.sql" ] || found=0 ;;
    tests/*) [ -x "$here/../../$name" ] || found=0 ;;
    *": "*) grep -q "${name#*: }(" "$here/${name%%: *}" || found=0 ;;
    *) continue ;;
    esac
    if [ "$found" = 1 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL README.md names $name, which is not there"
    fi
done < <(grep '^| ' "$here/README.md" | grep -o '`[^`]*`' | tr -d '`' | sort -u)
[ "$passed" -ge 25 ] || failed=$((failed + 1))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
