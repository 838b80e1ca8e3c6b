#!/usr/bin/env bash
# Every walked database opens and works in the oldest SQLite at hand, 3.28.0 of 2019 (sql.js 1.0.0
# from npm): old and new code read and write there with our triggers in place, and see what they see
# in the SQLite of this machine. CHECK_FULL=1 alone; without node, npm or a registry one line says so.
. "$(dirname "$0")/walk_lib.sh"
here=$root/tests/walk/oldest
m=$build/migrate
old=${OLDEST_SQLITE:-${build%/san-*}/oldest}

leave_out() {
    echo "oldest SQLite: left out, $1"
    finish
}
[ -n "${CHECK_FULL:-}" ] || leave_out "it is part of make check-full"
for program in node npm; do
    command -v "$program" >/dev/null 2>&1 || leave_out "there is no $program"
done
if ! cmp -s "$here/package-lock.json" "$old/installed"; then
    mkdir -p "$old" && cp "$here/package.json" "$here/package-lock.json" "$old/" || exit 2
    (cd "$old" && npm ci --no-audit --no-fund --ignore-scripts) >"$work/npm" 2>&1 ||
        leave_out "npm could not install it: $(grep -m 1 'npm error' "$work/npm")"
    cp "$here/package-lock.json" "$old/installed"
fi
# in_old FILE [--write FILE | --read FILE | --out FILE]...
in_old() { node "$here/main.cjs" "$old" "$@" 2>&1; }

# try_state CASE STATE READ WRITES...: the same writes there and here, then the same reads of both.
try_state() {
    local name=$1 state=$2 read=$3 there here_file=$work/here.db args=() there_saw here_saw
    shift 3
    cp "$db" "$here_file"
    for write in "$@"; do
        [ -e "$write" ] || continue
        args+=(--write "$write")
        sqlite3 -bail -cmd "PRAGMA foreign_keys = ON" "$here_file" ".read $write" >"$work/here" 2>&1 || {
            echo "FAIL $name, $state: $write here: $(cat "$work/here")"
            failed=$((failed + 1))
            return
        }
    done
    there=$(in_old "$db" "${args[@]}" --read "$read" --out "$work/there.db" --beside "$here_file")
    case $there in
    *"no such function: json"*) # the case's own expressions ask for it, and sql.js has no JSON
        without_json=$((without_json + 1))
        return
        ;;
    esac
    same "$name, $state: it opens and is sound" "ok 0" "$(jq -r '.error // "\(.integrity) \(.references)"' <<<"$there")"
    version=$(jq -r '.version // empty' <<<"$there")
    there_saw=$(jq -c .reads <<<"$there")
    here_saw=$(jq -c .beside <<<"$there")
    same "$name, $state: readers see the same" "$here_saw" "$there_saw"
    same "$name, $state: and here it is sound behind it" ok "$(sqlite3 "$work/there.db" "PRAGMA integrity_check" 2>&1)"
    looked=$((looked + 1))
}

looked=0 cases=0 passed_over=0 without_json=0 version=
for folder in "$root"/tests/migrator/cases/*/; do
    name=$(basename "$folder")
    case $name in refused*) continue ;; esac
    case $name in ${OLDEST_CASES:-*}) ;; *) continue ;; esac
    db=$work/app.db
    rm -rf "$work/migrations" "$work"/app.db* && mkdir -p "$work/migrations/0007_case"
    for file in "$folder"*; do
        case ${file##*/} in
        old.sql | seed.sql | plan.json | seen.txt | read_* | write_* | error) ;;
        *) [ -f "$file" ] && cp "$file" "$work/migrations/0007_case/" ;;
        esac
    done
    sqlite3 -bail "$db" ".read $folder/old.sql" "$(cat "$folder/seed.sql" 2>/dev/null)" >/dev/null 2>&1
    if [ "$(in_old "$db" | jq -r '.error // "ok"')" != ok ]; then
        passed_over=$((passed_over + 1)) # the application's own tables are too new for it
        continue
    fi
    cases=$((cases + 1))
    export LOCKSTEP_DATABASE=$db LOCKSTEP_MIGRATIONS=$work/migrations LOCKSTEP_ENVIRONMENT=test
    for state in expanded dual-writing in-sync contracted purged; do
        said=$("$m" apply --to $state --recovery-point none 2>&1) || {
            echo "$name: no way to $state: $said" | head -c 300
            continue 2
        }
        case $state in
        expanded | dual-writing) try_state "$name" $state "$folder/read_old.sql" "$folder/write_old.sql" ;;
        in-sync)
            try_state "$name" $state "$folder/read_old.sql" "$folder/write_old.sql" "$folder/write_new.sql"
            try_state "$name" $state "$folder/read_new.sql" "$folder/write_old.sql" "$folder/write_new.sql"
            ;;
        contracted | purged) try_state "$name" $state "$folder/read_new.sql" "$folder/write_late.sql" ;;
        esac
    done
done
echo "SQLite $version: $looked databases of $cases cases in 5 states, $passed_over cases too new for it, $without_json databases ask for JSON"
same "enough of them" yes "$([ $cases -ge 8 ] && echo yes || echo "only $cases")"
same "it is old" yes "$(case $version in 3.2[0-9].* | 3.30.* | 3.31.*) echo yes ;; *) echo "no: $version" ;; esac)"
finish
