#!/usr/bin/env bash
# Flags beside their conditions and beside other evaluators; many flags, swaps, customers:
#     BUILD=build tests/bench/flags/run.sh
# Times and memory from bench_flags, instructions from callgrind beside instructions.txt, what other
# evaluators need for the same flag, and the flag server's memory with 10,000 flags. Exit 1 when a
# bar is missed. GOLDEN=1 rewrites instructions.txt. PEERS: where npm packages go (BUILD/flag-peers).
set -u -o pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${BUILD:?}" && pwd) || exit 2
bench=$build/tests/bench/bench_flags
stored=$here/instructions.txt
peers=${PEERS:-$build/flag-peers}
work=$(mktemp -d "${TMPDIR:-/tmp}/bench.XXXXXX") || exit 1
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
missed=0

if [ -n "${SAN:-}" ]; then
    echo "bench-flags: a build with sanitizers is not what anybody runs; make it without SAN" >&2
    exit 2
fi

"$bench" --figures "$work/figures" --judge || missed=1
[ -s "$work/figures" ] || exit 1

# ---- instructions: two runs of different length; their difference is free of what happens once ----

total() { # work times
    valgrind --quiet --tool=callgrind --callgrind-out-file="$work/out" "$bench" --count "$1" "$2" || return 1
    awk '$1 == "summary:" || $1 == "totals:" { print $2; exit }' "$work/out"
}
count_all() {
    local name few many tenths
    for name in split ramp condition; do
        few=$(total "$name" 320) && many=$(total "$name" 3520) || return 1
        tenths=$(((many - few) / 320))
        echo "$name $((tenths / 10)).$((tenths % 10))"
    done
}
if ! command -v valgrind >/dev/null 2>&1; then
    echo "instructions: left out, there is no valgrind"
elif ! count_all >"$work/counts"; then
    echo "instructions: valgrind failed" >&2
    missed=1
else
    echo "instructions, one evaluation"
    tools="$(${CC:-gcc} --version | head -n 1), $(getconf GNU_LIBC_VERSION), $(valgrind --version)"
    if [ -n "${GOLDEN:-}" ]; then
        {
            echo "# Instructions of one evaluation, as callgrind counts them. make bench-flags fails at 2 %"
            echo "# more; GOLDEN=1 rewrites this."
            echo "# $tools"
            cat "$work/counts"
        } >"$stored"
    fi
    [ -e "$stored" ] || stored=/dev/null
    awk '
        /^#/ { next }
        FILENAME == ARGV[1] { was[$1] = $2; next }
        {
            verdict = "not stored yet: GOLDEN=1"
            if ($1 in was) {
                change = ($2 / was[$1] - 1) * 100
                verdict = sprintf("stored %9.1f  %+6.2f %%  ", was[$1], change)
                if (change > 2) { verdict = verdict "MISSED (at most 2 % more)"; bad = 1 }
                else verdict = verdict (change < -2 ? "ok (better: store it, GOLDEN=1)" : "ok")
            } else bad = 1
            printf "  %-20s %9.1f  %s\n", $1, $2, verdict
        }
        END { exit bad }' "$stored" "$work/counts" || missed=1
    grep -qxF "# $tools" "$stored" || printf '  counted with other tools than stored:\n    %s\n' "$tools"
fi

# ---- the server's memory ----

serve() { # PORT_FILE
    rm -f "$1"
    "$build/flag-server" serve --store "sqlite:$work/flags.db" --listen 127.0.0.1:0 --port-file "$1" 2>"$work/log" &
    server=$!
    for _ in $(seq 100); do
        [ ! -s "$1" ] || break
        sleep 0.1
    done
    LOCKSTEP_URL=http://127.0.0.1:$(cat "$1") || return 1
    export LOCKSTEP_URL
}
end_server() {
    kill "$server" && wait "$server"
    server=
}
server_memory() { # the flags are written past the server, which at a change each would take minutes
    local count=10000 kib
    command -v sqlite3 >/dev/null 2>&1 || {
        echo "the flag server's memory: left out, there is no sqlite3"
        return
    }
    "$build/flag-server" init --store "sqlite:$work/flags.db" --token-file "$work/token" >"$work/out" 2>&1 || return 1
    LOCKSTEP_TOKEN=$(cat "$work/token")
    export LOCKSTEP_TOKEN
    serve "$work/port" || return 1
    {
        "$build/flags" create flag-0 && "$build/flags" ramp flag-0 --domain acme.com --to 25% &&
            "$build/flags" rule-add flag-0 pro --when "plan == 'pro' && email.endsWith('@acme.com')" --to 50%
    } >"$work/out" 2>&1 || return 1
    end_server
    sqlite3 "$work/flags.db" "
        CREATE TEMP TABLE one AS SELECT * FROM flag;
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $count - 1)
        INSERT INTO flag(environment, key, version, revision, changed_ms, document)
        SELECT environment, 'flag-' || i, version, revision, changed_ms,
            replace(document, '\"key\":\"flag-0\"', '\"key\":\"flag-' || i || '\"') FROM one, n;" || return 1
    serve "$work/port" || return 1
    kib=$(awk '/^VmRSS/ { print $2 }' "/proc/$server/status")
    "$build/flags" list --json >"$work/list" || return 1
    [ "$(grep -o '"key": *"flag-' "$work/list" | wc -l)" -eq "$count" ] || return 1
    end_server
    awk -v mib=$((kib / 1024)) 'BEGIN { printf "  %-54s %9.2f\n", "the flag server that keeps and serves them: MiB", mib }'
}
server_memory || {
    echo "the flag server's memory: not measured: $(tail -n 1 "$work/out" "$work/log" 2>/dev/null)"
    missed=1
}

# ---- other evaluators ----

others() {
    command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || {
        echo "other evaluators: left out, there is no node with npm"
        return
    }
    if ! cmp -s "$here/package-lock.json" "$peers/installed"; then
        mkdir -p "$peers" && cp "$here/package.json" "$here/package-lock.json" "$peers/" || return 1
        (cd "$peers" && npm ci --no-audit --no-fund --ignore-scripts) >"$work/npm" 2>&1 || {
            echo "other evaluators: left out, npm could not install them: $(grep -m 1 'npm error' "$work/npm")"
            return
        }
        cp "$here/package-lock.json" "$peers/installed"
    fi
    node "$here/peers.mjs" "$peers" >"$work/peers" || return 1
    echo "other evaluators, the same flag: ns, and how many times what a flag takes here"
    awk -v bar=8 '
        FNR == NR { ns[$1] = $2; next }
        { printf "  %-54s %9.1f %9.1fx\n", $1, $2, $2 / ns["split"]; if (!best || $2 < best) best = $2 }
        END {
            ratio = best / ns["split"]
            printf "  %-54s %9.2f   at least %d: %s\n", "the fastest / a flag here", ratio, bar, ratio < bar ? "MISSED" : "ok"
            exit ratio < bar
        }' "$work/figures" "$work/peers"
}
others || missed=1

[ "$missed" -eq 0 ] || echo "bench-flags: not all bars are met"
exit "$missed"
