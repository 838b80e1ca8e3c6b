#!/usr/bin/env bash
# Checks what the compiler does not:
#     tests/lint/lint.sh [CHECK...]      layers owners banned sql size paths format cppcheck tidy
# Without names all of them. ROOT is the tree to check (this one). Exit 1 if anything was found.
set -u -o pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
cd "${ROOT:-$here/../..}" || exit 2
rooms=(base condition database flags migrator server sdk)
checks=("$@")
[ "${#checks[@]}" -gt 0 ] || checks=(layers owners banned sql size paths format cppcheck tidy)
jobs=${JOBS:-2}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

existing=()
for folder in "${rooms[@]}" tests; do [ ! -d "$folder" ] || existing+=("$folder"); done
find "${existing[@]}" -name '*.[ch]' -type f | sort >"$work/files"
xargs awk -f "$here/code.awk" <"$work/files" >"$work/code"

# The folders of the migrator stand on each other in this order, the ground first.
migrator_floors=(sql folder session change arrow walk plan)
within_migrator() { # folder header
    local floor
    for floor in "${migrator_floors[@]}"; do
        [[ $2 != migrator/$floor/* ]] || return 0
        [[ $1 != "$floor" ]] || return 1
    done
    return 1
}

# The room table of docs/architecture.md: what a file of this folder may include from the others.
may_include() { # folder header
    case $1 in
    base) [[ $2 == base/* ]] ;;
    condition | condition/program) [[ $2 == base/* || $2 == condition/* ]] ;;
    database) [[ $2 == base/* || $2 == database/* ]] ;;
    flags) [[ $2 == base/* || $2 == condition/* || $2 == flags/* ]] ;;
    flags/program) [[ $2 == base/* || $2 == flags/* ]] ;; # it talks to the server over HTTP alone
    migrator | migrator/program) [[ $2 == base/* || $2 == condition/* || $2 == database/* || $2 == migrator/* ]] ;;
    migrator/*)
        [[ $2 == base/* || $2 == condition/* || $2 == database/* || $2 == migrator/migrate.h ]] ||
            within_migrator "${1#migrator/}" "$2"
        ;;
    server | server/program)
        [[ $2 == base/* || $2 == condition/* || $2 == database/* || $2 == flags/* || $2 == server/* ]] ||
            [[ $2 == migrator/migrate.h ]]
        ;;
    sdk) [[ $2 == base/* || $2 == condition/* || $2 == flags/* || $2 == sdk/* ]] ;;
    tests | tests/*) true ;;
    *) false ;;
    esac
}

layers() {
    local kind where name file
    while IFS=$'\t' read -r kind where name; do
        [[ $kind == I && $name == \"* ]] || continue
        name=${name//\"/}
        file=${where%:*}
        if [[ $name != */* ]]; then
            echo "$where: \"$name\": name headers from the top of the tree (\"${file%/*}/$name\")"
        elif ! may_include "${file%/*}" "$name"; then
            echo "$where: ${file%/*} may not include $name (see docs/architecture.md)"
        elif [[ $file != tests/* && $name == tests/* ]]; then
            echo "$where: only tests may include $name"
        fi
    done <"$work/code"
}

# Each third-party header has one owner (docs/dependencies.md); tests may open SQLite as an
# application would.
owners() {
    local kind where name file ok
    while IFS=$'\t' read -r kind where name; do
        [[ $kind == I && $name == \<* ]] || continue
        file=${where%:*} ok=yes
        case $name in
        '<sqlite3.h>') [[ $file == database/sqlite* || $file == tests/* ]] || ok='database/sqlite*' ;;
        '<curl/'*) [[ $file == base/fetch.c ]] || ok=base/fetch.c ;;
        '<microhttpd.h>') [[ $file == server/http.c ]] || ok=server/http.c ;;
        '<pcre2.h>') # its bench measures the bare library beside it
            [[ $file == condition/regex.c || $file == tests/condition/*bench_* ]] || ok=condition/regex.c
            ;;
        '<cjson/'* | '<cJSON.h>') [[ $file == base/json.c ]] || ok=base/json.c ;;
        '<sodium'*) [[ $file == base/digest.c ]] || ok=base/digest.c ;;
        '<idn2.h>') [[ $file == condition/domain.c ]] || ok=condition/domain.c ;;
        '<md5.h>') [[ $file == database/md5.c ]] || ok=database/md5.c ;;
        '<libpsl.h>') [[ $file == server/public_suffix.c ]] || ok=server/public_suffix.c ;;
        '<csv.h>') [[ $file == flags/program/domain_csv.c ]] || ok=flags/program/domain_csv.c ;;
        '<cmocka.h>') [[ $file == tests/* ]] || ok='tests/' ;;
        esac
        [ "$ok" = yes ] || echo "$where: $name belongs to $ok alone"
    done <"$work/code"
}

banned() {
    awk -F'\t' '$1 == "C" && $3 ~ /(^|[^A-Za-z0-9_])(v?sprintf|strcpy|strcat|strtok|atoi|alloca|gets)[ \t]*\(/ {
        match($3, /(^|[^A-Za-z0-9_])(v?sprintf|strcpy|strcat|strtok|atoi|alloca|gets)[ \t]*\(/)
        name = substr($3, RSTART, RLENGTH)
        gsub(/[^a-z]/, "", name)
        printf "%s: %s() is banned (STYLE: bounds cannot be seen)\n", $2, name
    }' "$work/code"
}

# Values travel as parameters, names through buf_sql_name(). Tests play the application.
sql() {
    awk -F'\t' '$1 == "S" && $2 !~ /^tests\// && $3 ~ /%[-0-9.*]*s/ &&
        $3 ~ /(^|[^A-Za-z_])(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|REPLACE|PRAGMA)[ \t]/ {
        printf "%s: SQL built with %%s: use parameters, buf_sql_name() or buf_sql_text() (a message: comment \"lint: not SQL\")\n", $2
    }' "$work/code"
}

size() {
    xargs wc -l <"$work/files" | awk '$2 != "total" && $1 > 800 { printf "%s: %d lines; 800 are the most\n", $2, $1 }'
}

# No path of the machine that a file was made on.
paths() {
    find . \( -name .git -o -name build -o -name 'build-*' -o -name node_modules \) -prune -o -type f -print0 |
        xargs -0 grep -nIE '(^|[^A-Za-z0-9_.])/(w[o]rk|r[o]ot)/' | sed 's/$/   <- a path of one machine/'
}

# A check whose tool is missing has not passed.
needs() {
    command -v "$1" >/dev/null 2>&1 || ! echo "$1 is not installed (make lint installs it)"
}

format() {
    needs clang-format-14 || return
    xargs clang-format-14 --dry-run -Werror <"$work/files" 2>&1 | grep -E 'error:' | cut -c1-160
}

# What is not initialised is left to gcc's warning and to the sanitizers: cppcheck takes "x != NULL ? x :
# &own" for a use, and clang's analyzer cannot know how deep an evaluation's stack is. NULL is a
# pointer in every libc that this runs on.
static_cppcheck() {
    needs cppcheck || return
    # shellcheck disable=SC2046
    cppcheck --quiet -j "$jobs" --std=c11 --enable=warning,portability --inline-suppr -I. -D_GNU_SOURCE \
        --suppress=missingIncludeSystem --suppress=uninitvar --suppress=legacyUninitvar --suppress=varFuncNullUB --max-configs=2 \
        --template='{file}:{line}: {message} [{id}]' $(grep -v '^tests/' "$work/files") 2>&1
}

static_tidy() {
    needs clang-tidy-14 || return
    grep -v '^tests/' "$work/files" | grep '\.c$' |
        xargs -P "$jobs" -n 6 clang-tidy-14 --quiet --warnings-as-errors='*' 2>/dev/null |
        grep -E '(warning|error):'
}

found=0
clean=0
dirty=0
# What a check prints are its findings.
for check in "${checks[@]}"; do
    case $check in
    layers | owners | banned | sql | size | paths | format) $check >"$work/found" ;;
    cppcheck | tidy) "static_$check" >"$work/found" ;;
    *) echo "lint: unknown check '$check'" >&2; exit 2 ;;
    esac
    if [ -s "$work/found" ]; then
        found=$(wc -l <"$work/found")
        dirty=$((dirty + 1))
        printf '%-9s %d found\n' "$check" "$found"
        head -n 60 "$work/found" | sed 's/^/    /'
    else
        clean=$((clean + 1))
        printf '%-9s clean\n' "$check"
    fi
done
echo "lint: $clean checks clean, $dirty not"
[ "$dirty" -eq 0 ]
