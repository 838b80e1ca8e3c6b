#!/usr/bin/env bash
# The Makefile, on a small tree: rooms found by their place, builds that redo what changed and no
# more, flavours apart, and what install puts where.
set -u -o pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
tree=$work/tree
unset CI BUILD SAN WERROR CFLAGS LDFLAGS MAKEFLAGS MAKELEVEL

mkdir -p "$tree"/{migrator/program,condition,sdk,tests/base}
cp -r "$root"/{Makefile,.ci,base} "$tree/"
cp "$root/sdk/lockstep.pc.in" "$tree/sdk/"
cp "$root"/condition/condition.h "$tree/condition/"
cat >"$tree/migrator/program/main.c" <<'C'
#include "base/cli.h"

static int run_plan(struct cli *cli, void *ctx)
{
    (void)cli, (void)ctx;
    return 5;
}

int main(int argc, char **argv)
{
    static const struct cli_command commands[] = {
        {"plan", NULL, "show what would be done", NULL, NULL, 0, 0, run_plan}, {0}};
    static const struct cli_program program = {"migrate", "walks schemas", NULL, commands, NULL};

    return cli_main(&program, argc, argv, NULL);
}
C
printf '#include "base/err.h"\n#include "migrator/migrate.h"\nint migrate_code(void)\n{\n    return err_exit_code(ERR_BUSY);\n}\n' >"$tree/migrator/one.c"
printf '#ifndef MIGRATE_H\n#define MIGRATE_H\n#include "base/err.h"\nint migrate_code(void);\n#endif\n' >"$tree/migrator/migrate.h"
printf '#include "sdk/lockstep.h"\n#include "base/json.h"\nint lockstep_answer(void)\n{\n    return json_kind(NULL) == JSON_NULL ? 42 : 0;\n}\n' >"$tree/sdk/client.c"
printf '#ifndef LOCKSTEP_H\n#define LOCKSTEP_H\nint lockstep_answer(void);\n#endif\n' >"$tree/sdk/lockstep.h"

check() { # what, then a command
    local what=$1 said
    shift
    if said=$("$@" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL %s: %s\n%s\n' "$what" "$*" "$said"
    fi
}
build() { make -C "$tree" --no-print-directory -j2 CFLAGS=-O0 "$@" >"$work/said" 2>&1 || { cat "$work/said"; return 1; }; }
# compiled N: so many files were compiled by the last build
compiled() {
    local n
    n=$(grep -c '^  CC ' "$work/said")
    [ "$n" -eq "$1" ] || { echo "$n files, not $1"; cat "$work/said"; return 1; }
}
is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }
sources=$(find "$tree" -name '*.c' | wc -l)

check "it builds" build
check "every file once" compiled "$sources"
check "a program found by its folder" "$tree/build/migrate" --version
"$tree/build/migrate" plan
check "and it runs" is $? 5
check "a second time" build
check "nothing is left to do" is "$(cat "$work/said")" ""

touch "$tree/base/utf8.h"
check "a header changed" build
check "only who includes it" compiled "$(grep -l 'base/utf8.h' "$tree"/base/*.c | wc -l)"
check "the program is linked again" grep -q 'LD .*build/migrate' "$work/said"

check "flags changed" build CFLAGS=-O1
check "everything" compiled "$sources"
check "back" build
check "everything again" compiled "$sources"

printf 'int migrate_two(void);\nint migrate_two(void)\n{\n    return 2;\n}\n' >"$tree/migrator/two.c"
check "a new file" build
check "it alone" compiled 1
check "is in the archive" grep -q two.o <(ar t "$tree/build/libmigrator.a")
rm "$tree/migrator/two.c"
check "a file is removed" build
check "and gone from the archive" is "$(ar t "$tree/build/libmigrator.a")" one.o
check "and from libmigrate.a" is "$(ar t "$tree/build/libmigrate.a" | grep -c two)" 0

check "a flavour" build SAN=undefined "build/san-undefined/migrate"
check "has a folder of its own" test -x "$tree/build/san-undefined/migrate"
check "the plain one" build
check "is untouched" is "$(cat "$work/said")" ""

printf 'int unused(int a)\n{\n    return 1;\n}\n' >"$tree/migrator/bad.c"
check "a warning is a warning" build
check "and said" grep -q unused-parameter "$work/said"
check "with WERROR=1 an error" bash -c '! make -C "$1" WERROR=1 >/dev/null 2>&1' - "$tree"
rm "$tree/migrator/bad.c"
check "mended" build

# The SDK shows its own names alone, in both shapes.
check "the shared library's names" is "$(nm -D --defined-only "$tree/build/liblockstep.so" | awk '{ print $3 }')" lockstep_answer
check "the static library's names" is "$(nm -g --defined-only "$tree/build/liblockstep.a" | awk 'NF == 3 { print $3 }')" lockstep_answer

check "install" build install PREFIX=/opt/ls DESTDIR="$work/dest"
to=$work/dest/opt/ls
check "the program" "$to/bin/migrate" --version
check "its man page" grep -q '^\.TH "MIGRATE" 1' "$to/share/man/man1/migrate.1"
check "the version in the file name" test -e "$to/lib/liblockstep.so.$(sed -n 's/.*LOCKSTEP_VERSION "\(.*\)"/\1/p' "$root/base/version.h")"
check "a header with what it includes" test -e "$to/include/lockstep/base/err.h"
# migrate.pc.in is not in this small tree; of the real one it is asked what it says.
check "libmigrate's pkg-config" grep -q '^Cflags: -I.{includedir}' "$root/migrator/migrate.pc.in"
cat >"$work/use.c" <<'C'
#include <lockstep.h>
int main(void)
{
    return lockstep_answer();
}
C
export PKG_CONFIG_LIBDIR=$to/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$work/dest
# shellcheck disable=SC2046
check "a user's program" "${CC:-gcc}" "$work/use.c" -o "$work/use" $(pkg-config --cflags --libs lockstep 2>/dev/null ||
    echo "-I$to/include -L$to/lib -llockstep")
unset PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR
LD_LIBRARY_PATH=$to/lib "$work/use"
check "and it runs" is $? 42
check "uninstall" build uninstall PREFIX=/opt/ls DESTDIR="$work/dest"
check "leaves nothing" is "$(find "$work/dest" -type f -o -type l)" ""
check "clean" build clean
check "neither" test ! -e "$tree/build"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
