#!/usr/bin/env bash
# Compiles each header alone, under harsh flags; those that users of the libraries include as C99 and
# C++ too.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 2
cc=${CC:-gcc}
cxx=${CXX:-g++}
harsh='-I. -D_GNU_SOURCE -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Werror'
passed=0 failed=0

# compiles HEADER COMPILER FLAG...
compiles() {
    local header=$1 said
    shift
    # shellcheck disable=SC2086
    if said=$(printf '#include "%s"\nextern int nothing;\n' "$header" | "$@" $harsh - 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s does not compile alone (%s)\n%s\n' "$header" "$*" "$said"
    fi
}

for header in {base,condition,database,flags,migrator,server,sdk}/{*,*/*}.h; do
    [ -e "$header" ] || continue
    compiles "$header" "$cc" -x c -std=c11 -Wstrict-prototypes
done
for header in sdk/lockstep.h condition/condition.h; do
    [ -e "$header" ] || continue
    compiles "$header" "$cc" -x c -std=c99 -Wstrict-prototypes
    compiles "$header" "$cxx" -x c++ -std=c++11
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
