#!/usr/bin/env bash
# docs/embedding.md: its program is compiled against libcondition.a and the one header, without a
# warning, and prints what the page says. As an outsider would: the header lies alone in a folder.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
page=$root/docs/embedding.md
passed=0 failed=0

verdict() { # STATUS NAME
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $2"
    fi
}

mkdir -p "$TMPDIR/condition"
cp "$root/condition/condition.h" "$TMPDIR/condition/"
awk '/^```c$/ { on = 1; next } /^```/ { on = 0 } on' "$page" >"$TMPDIR/rule.c"
awk '/^It prints$/ { after = 1 } after && /^```/ { if (on) exit; on = 1; next } on' "$page" >"$TMPDIR/wanted"
[ "$(wc -l <"$TMPDIR/rule.c")" -le 70 ]
verdict $? "one screen of code"
sanitize=${SAN:+-fsanitize=$SAN}
# shellcheck disable=SC2046,SC2086 # lists of options
(cd "$TMPDIR" && ${CC:-cc} -std=c11 -Wall -Wextra -Werror -pthread $sanitize -I. rule.c "$BUILD/libcondition.a" \
    $(pkg-config --libs libpcre2-8 libidn2) -lm -o rule)
verdict $? "it compiles"
"$TMPDIR/rule" >"$TMPDIR/printed" && diff "$TMPDIR/wanted" "$TMPDIR/printed"
verdict $? "it prints what the page says"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
