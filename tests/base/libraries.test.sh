#!/usr/bin/env bash
# The libraries as a user meets them: one header, one archive, and only the names that are promised.
set -u -o pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build}
work=$(mktemp -d "${TMPDIR:-/tmp}/libraries.XXXXXX")
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
cc=${CC:-gcc}
flags=(-Wall -Wextra -Wpedantic -Werror "-I$root" -pthread)
[ -z "${SAN:-}" ] || flags+=("-fsanitize=$SAN")

check() { # what, then a command
    local what=$1 said
    shift
    if said=$("$@" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL %s: %s\n%s\n' "$what" "$*" "$(head -n 20 <<<"$said")"
    fi
}
is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }

# libcondition.a stands alone: no other archive of ours beside it.
cat >"$work/condition.c" <<'C'
#include <stdio.h>
#include "condition/condition.h"
#include "condition/condition_json.h"

int main(void)
{
    static const char source[] = "plan == 'pro' && version > 3";
    struct condition_env *env = condition_env_new();
    struct condition_value slots[8], out;
    struct condition_input in = {.slots = slots};
    struct condition *cond;
    struct condition_diag diag;
    struct arena arena = {0};
    struct json *json;
    struct err err;

    condition_env_set_open(env, true);
    if (condition_compile(env, source, sizeof source - 1, &cond, &diag) != CONDITION_OK ||
        json_parse("{\"plan\":\"pro\",\"version\":4}", 26, &json, &err) != ERR_OK ||
        condition_from_json(json, &arena, &out, &err) != ERR_OK) {
        return 1;
    }
    in.slot_count = condition_env_slot_count(env);
    condition_slots_fill(env, &out, slots, in.slot_count);
    if (condition_run(cond, &in, &out, &diag) != CONDITION_OK) {
        return 1;
    }
    puts(out.kind == CONDITION_BOOL && out.as.truth ? "yes" : "no");
    condition_free(cond);
    condition_env_free(env);
    json_free(json);
    arena_fini(&arena);
    return 0;
}
C
check "libcondition.a alone" "$cc" -std=c11 "${flags[@]}" "$work/condition.c" -o "$work/condition" \
    "$build/libcondition.a" -lpcre2-8 -lidn2 -lcjson -lm
check "and it runs" is "$("$work/condition" 2>&1)" yes

cat >"$work/migrate.c" <<'C'
#include <stdio.h>
#include "migrator/migrate.h"

int main(void)
{
    struct migrate_options options = {.database = "nonsense://x", .folder = "none"};
    struct migrate *m = NULL;
    struct err err = {0};

    puts(migrate_open(&options, &m, &err) != ERR_OK && m == NULL && err.msg[0] != '\0' ? "refused" : "?");
    return 0;
}
C
check "libmigrate.a alone" "$cc" -std=c11 "${flags[@]}" "$work/migrate.c" -o "$work/migrate" \
    "$build/libmigrate.a" -lsqlite3 -lmd -lcurl -lcjson -lsodium -lpcre2-8 -lidn2 -lm
check "and it runs" is "$("$work/migrate" 2>&1)" refused

# The example of docs/migrate.md, twice: the second run finds nothing to do.
awk '/^```c$/ { on = 1; next } /^```/ { on = 0 } on' "$root/docs/migrate.md" >"$work/start.c"
check "the example of docs/migrate.md" "$cc" -std=c11 "${flags[@]}" "$work/start.c" -o "$work/start" \
    "$build/libmigrate.a" -lsqlite3 -lmd -lcurl -lcjson -lsodium -lpcre2-8 -lidn2 -lm
check "and it migrates" is "$(cd "$work" && ./start && ./start)" "2 steps
0 steps"

# The SDK, as C99, with its header alone; a host may have functions of our names.
cat >"$work/sdk.c" <<'C'
#include "sdk/lockstep.h"

int json_parse(void);
int buf_add(void);
int json_parse(void)
{
    return 1;
}
int buf_add(void)
{
    return 2;
}
int main(void)
{
    char error[200] = "";
    lockstep_client *client = 0;
    lockstep_config config = {0};

    config.url = "nonsense";
    return lockstep_open(&config, &client, error, sizeof error) == LOCKSTEP_INVALID && error[0] ? 42 : 1;
}
C
check "liblockstep.a" "$cc" -std=c99 "${flags[@]}" "$work/sdk.c" -o "$work/static" "$build/liblockstep.a" \
    -lcurl -lcjson -lsodium -lpcre2-8 -lidn2 -lm
"$work/static" >/dev/null 2>&1
check "and it runs" is $? 42
check "liblockstep.so" "$cc" -std=c99 "${flags[@]}" "$work/sdk.c" -o "$work/shared" -L"$build" -llockstep
LD_LIBRARY_PATH=$build "$work/shared" >/dev/null 2>&1
check "and it runs" is $? 42
exported=$(nm -D --defined-only "$build/liblockstep.so" | awk '{ print $3 }' | sort -u)
check "it exports something" grep -qx lockstep_open <<<"$exported"
check "names of the shared library" is "$(grep -v '^lockstep_' <<<"$exported")" ""
check "it exports something" grep -q ' T lockstep_open$' <(nm -g --defined-only "$build/liblockstep.a")
check "names of the static library" is "$(nm -g --defined-only "$build/liblockstep.a" | awk 'NF == 3 && $3 !~ /^(lockstep_|_*[alut]san|__odr)/ { print $3 }')" ""
declared=$(grep -oE '\block''step_[a-z0-9_]+ *\(' "$root/sdk/lockstep.h" | tr -d ' (' | grep -vE '_fn$' | sort -u)
check "every exported name is declared" is "$(comm -13 <(echo "$declared") <(echo "$exported"))" ""

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
