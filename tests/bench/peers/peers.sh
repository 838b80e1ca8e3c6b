#!/usr/bin/env bash
# Many small migrations on a fresh file: migrate beside dbmate and wrangler, each with its own files
# and its own file, in turn:
#     BUILD=build tests/bench/peers/peers.sh [COUNT [COUNT_OF_WRANGLER]]
# They are installed from npm into PEERS (BUILD/peers). Where node, npm or a registry is missing, or
# one of them does not run, a line says so. wrangler takes half a second for each file: it gets 100 of
# them unless more are asked for, and is compared with migrate on as many.
set -u -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${BUILD:?}" && pwd) || exit 2
peers=${PEERS:-$build/peers}
count=${1:-1000}
few=${2:-100}
[ "$few" -le "$count" ] || few=$count
runs=3
work=$(mktemp -d "${TMPDIR:-/tmp}/peers.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
unset LOCKSTEP_DATABASE LOCKSTEP_MIGRATIONS LOCKSTEP_ENVIRONMENT LOCKSTEP_FLAG_SERVER LOCKSTEP_TOKEN
missed=0

for program in node npm; do
    command -v "$program" >/dev/null 2>&1 || {
        echo "other tools: left out, there is no $program"
        exit 0
    }
done
if ! cmp -s "$here/package-lock.json" "$peers/installed"; then
    mkdir -p "$peers" && cp "$here/package.json" "$here/package-lock.json" "$peers/" || exit 2
    # not "npm ci": a registry that has packages of this platform alone would fail it
    (cd "$peers" && npm install --no-save --no-audit --no-fund --ignore-scripts) >"$work/npm" 2>&1 || {
        echo "other tools: left out, npm could not install them: $(grep -m 1 'npm error' "$work/npm")"
        exit 0
    }
    cp "$here/package-lock.json" "$peers/installed"
fi

write_files() { # FOLDER COUNT WIDTH HEAD TAIL
    mkdir -p "$1"
    for i in $(seq "$2"); do
        printf '%sCREATE TABLE t%d(id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER);\n%s' \
            "$4" "$i" "$5" >"$1/$(printf "%0$3d" "$i")_t$i.sql"
    done
}
took() { # FILE COMMAND...: appends milliseconds
    local file=$1 began
    shift
    began=$(date +%s%N)
    "$@" >"$work/out" 2>&1 || return 1
    echo $((($(date +%s%N) - began) / 1000)) >>"$file"
}
median() { sort -n "$1" | sed -n "$((runs / 2 + 1))p"; }
ratio() { # WHAT OURS THEIRS
    awk -v what="$1" -v ours="$2" -v theirs="$3" 'BEGIN {
        slower = theirs + 0 > ours + 0
        printf "%s %s: %.1f times as long as migrate\n", (slower ? "ok  " : "MISS"), what, theirs / ours
        exit !slower
    }' || missed=1
}
ours() { "$build/migrate" apply --database "sqlite:$1" --migrations "$work/plain"; }
dbmate() { "$peers/node_modules/.bin/dbmate" --url "sqlite:$work/dbmate.db" --migrations-dir "$work/dbmate" --no-dump-schema up; }
dbmate_itself() { "$binary" --url "sqlite:$work/dbmate.db" --migrations-dir "$work/dbmate" --no-dump-schema up; }
wrangler() {
    (cd "$work/wrangler" && CI=1 WRANGLER_SEND_METRICS=false "$peers/node_modules/.bin/wrangler" d1 migrations apply app --local)
}

write_files "$work/plain" "$count" 4 "" ""
write_files "$work/dbmate" "$count" 14 $'-- migrate:up\n' $'-- migrate:down\n'
binary=$(find "$peers/node_modules/@dbmate" -name dbmate -type f -perm -u+x 2>/dev/null | head -n 1)
if [ -z "$binary" ]; then
    echo "dbmate: left out, its package holds no program for this machine"
else
    for _ in $(seq $runs); do
        for tool in dbmate_itself dbmate; do
            rm -f "$work"/dbmate.db* "$work"/app.db*
            : >"$work/app.db"
            took "$work/ours" ours "$work/app.db" && took "$work/ours-empty" ours "$work/app.db" &&
                took "$work/took-$tool" $tool && took "$work/took-$tool-empty" $tool || {
                tail -n 3 "$work/out"
                exit 1
            }
        done
    done
    runs=$((runs * 2))
    apply=$(median "$work/ours") nothing=$(median "$work/ours-empty")
    runs=$((runs / 2))
    ratio "dbmate's own binary, $count migrations" "$apply" "$(median "$work/took-dbmate_itself")"
    ratio "dbmate's own binary, nothing to do" "$nothing" "$(median "$work/took-dbmate_itself-empty")"
    ratio "dbmate by npm, $count migrations" "$apply" "$(median "$work/took-dbmate")"
    ratio "dbmate by npm, nothing to do" "$nothing" "$(median "$work/took-dbmate-empty")"
fi

rm -rf "$work/plain" "$work/ours" "$work/ours-empty"
write_files "$work/plain" "$few" 4 "" ""
write_files "$work/wrangler/migrations" "$few" 4 "" ""
echo '{"name": "app", "compatibility_date": "2026-01-01", "d1_databases": [{"binding": "DB",
    "database_name": "app", "database_id": "app", "migrations_dir": "migrations"}]}' >"$work/wrangler/wrangler.json"
runs=1
rm -f "$work"/app.db*
: >"$work/app.db"
if took "$work/wrangler-took" wrangler && took "$work/wrangler-empty" wrangler; then
    took "$work/ours" ours "$work/app.db" && took "$work/ours-empty" ours "$work/app.db" || exit 1
    ratio "wrangler --local, $few migrations" "$(median "$work/ours")" "$(median "$work/wrangler-took")"
    ratio "wrangler --local, nothing to do" "$(median "$work/ours-empty")" "$(median "$work/wrangler-empty")"
else
    echo "wrangler: left out, it does not run here: $(tail -n 1 "$work/out")"
fi
[ "$missed" -eq 0 ] || [ -z "${BARS:-}" ]
