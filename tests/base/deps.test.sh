#!/usr/bin/env bash
# .ci/deps where something is missing: with root, with sudo, without both, without apt. The commands
# are stand-ins in a folder that is the whole PATH; nothing is installed.
set -u -o pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/deps.XXXXXX")
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
real_sh=$(command -v sh)

# machine NAME...: a PATH with stand-ins; those that are not named are missing
machine() {
    rm -rf "$work/bin"
    mkdir "$work/bin"
    ln -s "$(command -v env)" "$work/bin/env"
    printf '#!%s\nexit 0\n' "$real_sh" >"$work/bin/pkg-config" # every library is there
    local name
    for name in gcc sqlite3 curl jq ps "$@"; do
        [ "$name" = none ] || printf '#!%s\necho "%s $*" >>"%s/log"\n' "$real_sh" "$name" "$work" >"$work/bin/$name"
    done
    printf '#!%s\necho "${USER_ID:-1000}"\n' "$real_sh" >"$work/bin/id"
    printf '#!%s\n[ "$1" = -n ] && shift\n[ "$1" = true ] && exit "${SUDO_CODE:-0}"\necho "sudo $*" >>"%s/log"\n' "$real_sh" "$work" >"$work/bin/sudo"
    chmod +x "$work"/bin/*
    rm -f "$work/log"
    touch "$work/log"
}

# says EXIT PATTERN GROUP...: runs .ci/deps there
says() {
    local want=$1 pattern=$2 said code
    shift 2
    said=$(PATH=$work/bin "$real_sh" "$root/.ci/deps" "$@" </dev/null 2>&1)
    code=$?
    said="$said
log: $(cat "$work/log")"
    if [ "$code" -eq "$want" ] && grep -qE "$pattern" <<<"$said"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL: exit %s (wanted %s), wanted /%s/\n%s\n' "$code" "$want" "$pattern" "$said"
    fi
}

machine apt-get
USER_ID=0 says 0 '^log: $' build test # nothing is missing: apt is not called

rm "$work/bin/jq" "$work/bin/sqlite3"
USER_ID=0 says 0 '^log: $' build # and what is not asked for is not installed
USER_ID=0 says 0 'deps: installing sqlite3 jq$' build test
USER_ID=0 says 0 'apt-get -qq .*update' build test
USER_ID=0 says 0 'apt-get -qq -y .*install sqlite3 jq' build test
: >"$work/log"
says 0 'sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -y .*install sqlite3 jq' build test
SUDO_CODE=1 says 1 'sudo asks for a password here' build test
SUDO_CODE=1 says 1 '    sudo apt-get update && sudo apt-get install -y sqlite3 jq$' build test
rm "$work/bin/sudo"
says 1 'without root or sudo' build test
rm "$work/bin/apt-get"
USER_ID=0 says 1 'this is no Debian' build test
USER_ID=0 says 1 'missing: sqlite3 jq$' build test

machine apt-get
rm "$work/bin/jq"
printf '#!%s\nexit 100\n' "$real_sh" >"$work/bin/apt-get"
USER_ID=0 says 1 'no network' build test

# A bare machine: even the compiler and pkg-config come from apt.
machine apt-get
rm "$work/bin/gcc" "$work/bin/pkg-config"
USER_ID=0 says 0 'installing gcc pkg-config libsqlite3-dev libmicrohttpd-dev libcjson-dev libcurl4-openssl-dev libpcre2-dev libidn2-dev libsodium-dev libmd-dev libpsl-dev$' build
USER_ID=0 says 2 "unknown group 'nonsense'" nonsense

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
