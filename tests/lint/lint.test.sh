#!/usr/bin/env bash
# Lint must find what it is there for: each violation is planted in a copy of the tree, alone.
set -u -o pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/lint.XXXXXX")
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

report() { # ok? what said
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL %s\n%s\n' "$2" "$3"
    fi
}

fresh() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree"
    mkdir -p "$work/tree/tests"
    cp -r "$root"/{base,.clang-format} "$work/tree/"
    cp -r "$root"/tests/{base,lint} "$work/tree/tests/"
    # a tree of its own, so that this does not depend on what else is being written
    mkdir -p "$work/tree"/{condition,database,flags/program,migrator/{change,walk},server,sdk,docs}
    for room in condition database flags migrator server sdk; do
        printf '#include "base/err.h"\n' >"$work/tree/$room/thing.c"
    done
    echo '#include "base/err.h"' >"$work/tree/migrator/migrate.h"
}

lint() { ROOT=$work/tree "$root/tests/lint/lint.sh" "$@" 2>&1; }

fresh
said=$(lint layers owners banned sql size paths)
report $? "a clean tree is clean" "$said"

# finds CHECK FILE EXPECTED LINE...: appends the lines to FILE and wants CHECK to name it.
finds() {
    local check=$1 file=$2 expected=$3 said
    shift 3
    fresh
    printf '%s\n' "$@" >>"$work/tree/$file"
    if said=$(lint "$check"); then
        report 1 "$check let this pass in $file: $*" "$said"
    else
        [[ $said == *"$file"*"$expected"* ]]
        report $? "$check should name $file and say '$expected': $*" "$said"
    fi
}

# passes CHECK FILE LINE...
passes() {
    local check=$1 file=$2 said
    shift 2
    fresh
    printf '%s\n' "$@" >>"$work/tree/$file"
    said=$(lint "$check")
    report $? "$check must let this pass in $file: $*" "$said"
}

finds layers base/err.c 'base may not include condition/condition.h' '#include "condition/condition.h"'
finds layers condition/thing.c 'may not include database/database.h' '#include "database/database.h"'
finds layers database/thing.c 'may not include condition/condition.h' '#  include "condition/condition.h"'
finds layers flags/thing.c 'may not include server/http.h' '#include "server/http.h"'
finds layers flags/program/main.c 'may not include condition/condition.h' '#include "condition/condition.h"'
finds layers migrator/thing.c 'may not include flags/ruleset.h' '#include "flags/ruleset.h"'
finds layers server/thing.c 'may not include migrator/session/journal.h' '#include "migrator/session/journal.h"'
finds layers migrator/change/thing.c 'may not include migrator/walk/walk.h' '#include "migrator/walk/walk.h"'
finds layers sdk/thing.c 'may not include server/http.h' '#include "server/http.h"'
finds layers sdk/thing.c 'from the top of the tree' '#include "thing.h"'
finds layers base/err.c 'may not include tests/base/unit.h' '#include "tests/base/unit.h"'
passes layers server/thing.c '#include "migrator/migrate.h"'
passes layers migrator/walk/thing.c '#include "migrator/change/change.h"'
passes layers flags/program/main.c '#include "flags/ruleset.h"' '#include "base/cli.h"'
passes layers base/err.c '/* #include "server/http.h" */'
passes layers tests/base/test_err.c '#include "server/http.h"'

finds owners flags/thing.c 'belongs to database/' '#include <sqlite3.h>'
finds owners server/thing.c 'belongs to base/fetch.c' '#include <curl/curl.h>'
finds owners server/thing.c 'belongs to server/http.c' '#include <microhttpd.h>'
finds owners condition/thing.c 'belongs to condition/regex.c' '#include <pcre2.h>'
finds owners flags/thing.c 'belongs to base/json.c' '#include <cjson/cJSON.h>'
finds owners server/thing.c 'belongs to base/digest.c' '#include <sodium.h>'
finds owners flags/thing.c 'belongs to condition/domain.c' '#include <idn2.h>'
passes owners database/sqlite.c '#include <sqlite3.h>'
passes owners tests/base/test_err.c '#include <sqlite3.h>'

for call in sprintf vsprintf strcpy strcat strtok atoi alloca gets; do
    finds banned flags/thing.c "$call() is banned" "void f(char *a) { $call (a); }"
done
passes banned flags/thing.c 'void f(char *a) { snprintf(a, 1, "sprintf("); my_gets(a); } /* gets() */'
passes banned flags/thing.c "char c = '\"'; /* strcpy(a, b) */"

finds sql flags/thing.c 'SQL built with %s' 'const char *a = "SELECT * FROM %s";'
finds sql migrator/thing.c 'SQL built with %s' 'const char *a = "x; DROP TABLE "' '    "\"%s\"";'
finds sql database/thing.c 'SQL built with %s' 'f("UPDATE t SET a = " PRIu64 " WHERE b = '"'%.*s'"'", a);'
finds sql server/thing.c 'SQL built with %s' 'f("INSERT INTO t VALUES(%-5s)");'
passes sql server/thing.c 'f("SELECT a FROM t WHERE b = ?"); g("%s");'
passes sql server/thing.c 'f("SELECT a FROM t LIMIT %d");' 'f("SELECT 1", "%s");'
passes sql server/thing.c '/* f("SELECT %s") */' 'f("%s was updated: UPDATED %s");'
passes sql server/thing.c 'f("a trigger may not DROP %s"); /* lint: not SQL */'

mapfile -t lines < <(seq 801 | sed 's/.*/int line&;/')
finds size flags/long.c '801 lines' "${lines[@]}"
passes size flags/long.c "${lines[@]:1}"

finds paths docs/page.md 'a path of one machine' "cd /wor""k/main && make"
finds paths flags/thing.c 'a path of one machine' "/* see /roo""t/notes */"
passes paths docs/page.md 'the root/ and a/work/folder, net''work/ too'

if command -v clang-format-14 >/dev/null 2>&1; then
    finds format flags/thing.c 'clang-format-violations' 'int   f( void ){return 1;}'
else
    echo "left out, because clang-format-14 is not here: the format check"
fi
if command -v cppcheck >/dev/null 2>&1; then
    finds cppcheck flags/thing.c 'arrayIndexOutOfBounds' 'int f(void);' \
        'int f(void) { int a[2] = {0, 0}; return a[2]; }'
else
    echo "left out, because cppcheck is not here: its check"
fi

said=$(lint nonsense)
[ $? -eq 2 ]
report $? "an unknown check is a wrong use" "$said"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
