#!/usr/bin/env bash
# The C program of docs/sdk.md, compiled as the page says and run without a server and with a cache:
# it answers all the same.
set -u -o pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build}
case $build in /*) ;; *) build=$root/$build ;; esac
top=$(mktemp -d "${TMPDIR:-/tmp}/sdk.XXXXXX")
trap 'rm -rf "$top"' EXIT
passed=0 failed=0

check() { # name command...
    local name=$1
    shift
    if "$@" >"$top/out" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $name"
        cat "$top/out"
    fi
}

end() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}

awk '/^```c$/ { on = 1; next } /^```/ { on = 0 } on' "$root/docs/sdk.md" |
    sed -e "s|http://127.0.0.1:8080|http://127.0.0.1:9|" -e "s/flags, 5000/flags, 200/" >"$top/app.c"
check "the page has a program" grep -q lockstep_open "$top/app.c"
check "it compiles" "${CC:-gcc}" -std=c99 -Wall -Wextra -Werror ${SAN:+-fsanitize=$SAN} \
    -I"$root/sdk" -o "$top/app" "$top/app.c" "$build/liblockstep.a" -pthread -lm \
    $(pkg-config --libs libcurl libcjson libsodium libpcre2-8 libidn2)
[ -x "$top/app" ] || end
cd "$top" || exit 1

check "without a token it says what is missing" \
    sh -c './app 2>&1 | grep "^flags: .*sdk.token"'
echo ls_sdk-server_0 >sdk.token
check "without a server it answers with the fallback" \
    sh -c 'test "$(./app)" = " because ERROR"'

body='{"format":1,"environment":"e","epoch":1,"revision":1,"flags":[{"key":"read-customer-domain",'
body+='"type":"boolean","state":"on","variants":{"on":true,"off":false},"off_variant":"off",'
body+='"salt":"a","split_salt":"b","domains":{"acme.com":{"variant":"on"}},'
body+='"fallthrough":{"variant":"off"}}]}'
digest=$(printf %s "$body" | sha256sum | cut -d' ' -f1)
printf 'lockstep-cache 1 1767225600000 %s\n%s' "$digest" "$body" >flags.cache
check "with a cache it answers from it" \
    sh -c 'test "$(./app)" = "the new path
on because TARGETING_MATCH"'
end
