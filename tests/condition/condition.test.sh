#!/usr/bin/env bash
# The condition program: what it prints, and its exit codes.
set -u
condition=$BUILD/condition
passed=0 failed=0

# expect CODE PATTERN ARGUMENT...: exit code and a pattern (bash's [[ == ]]) that the output fits.
expect() {
    local code=$1 pattern=$2 out got
    shift 2
    out=$("$condition" "$@" 2>&1)
    got=$?
    # shellcheck disable=SC2053 # the right side is meant as a pattern
    if [ "$got" -eq "$code" ] && [[ $out == $pattern ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'condition %s\n  exit code %s, expected %s\n  output %s\n  expected %s\n' \
            "$*" "$got" "$code" "$out" "$pattern"
    fi
}

vars='{"plan": "pro", "version": 50, "domain": "mail.acme.com", "user": {"tags": ["a", "b"]}}'
expect 0 true eval 'plan == "pro" && version >= 42' --vars "$vars"
expect 0 true eval 'domain.under("ACME.com")' --vars "$vars"
expect 0 '\["a!", "b!"]' eval 'user.tags.map(t, t + "!")' --vars "$vars"
expect 0 'duration("86400s")' eval 'duration("24h")'
expect 0 'timestamp("2026-11-21T08:30:00Z")' eval now --now 2026-11-21T08:30:00Z
expect 0 true eval 'now > timestamp("2020-01-01T00:00:00Z")'
expect 0 7 eval now --vars '{"now": 7}'
expect 0 '*"value": true*"type": "bool"*' eval '1 < 2' --json
expect 0 '*"value": "AQI="*"cel": "b\\"*' eval "b'\\x01\\x02'" --json
expect 0 true eval 'n > 3' --declare n:int --vars '{"n": 4}'
expect 2 "*'verson' is not declared; did you mean 'version'?*" eval 'verson > 3' \
    --declare plan:string --declare version:int
expect 2 '*--declare takes NAME:TYPE*' eval 'n > 3' --declare n
expect 2 '*this is no type*' eval 'n > 3' --declare 'n:list(int'

# wrong input: 2 for what is no condition, 1 for one that errs
expect 2 'ERROR: 1:9: *"*^*' eval 'plan == "pro'
expect 2 '*"code": "invalid"*"column": 9*' eval 'plan == "pro' --json
expect 1 "ERROR: 1:1: 'gone' is absent*" eval 'gone == 1'
expect 1 '*"code": "evaluation_failed"*"message": "division by zero"*' eval '1 / n' --vars '{"n": 0}' --json
expect 2 '*--vars*' eval 1 --vars '{"a": '
expect 2 '*--vars*object*' eval 1 --vars '[1]'
expect 2 '*--vars*twice*' eval 1 --vars '{"a": 1, "a": 2}'
expect 2 '*--now*' eval 1 --now tomorrow
expect 2 '*' eval
expect 2 '*' eval 1 2
expect 2 "*unknown command 'evaluate'*" evaluate 1
expect 2 '*' eval 1 --nonsense

# test files
file=$TMPDIR/cases.json
cat >"$file" <<'END'
{"tests": [
  {"suite": "s", "section": "a", "name": "right", "tier": 1, "expr": "1 + 1", "expect": {"value": {"int": "2"}}},
  {"suite": "s", "section": "a", "name": "wrong", "tier": 2, "expr": "1 + 1", "expect": {"value": {"int": "3"}}},
  {"suite": "s", "section": "a", "name": "kind", "tier": 2, "expr": "1u", "expect": {"value": {"int": "1"}}},
  {"suite": "s", "section": "a", "name": "zero", "tier": 2, "expr": "0.0", "expect": {"value": {"double": "-0.0"}}},
  {"suite": "s", "section": "a", "name": "no error", "tier": 2, "expr": "1", "expect": {"error": "x"}},
  {"suite": "s", "section": "a", "name": "type", "tier": 2, "expr": "1", "check_only": true, "expect": {"type": "uint"}},
  {"suite": "s", "section": "a", "name": "unreadable", "tier": 2, "expect": {"value": {"int": "1"}}}
]}
END
expect 1 $'FAILED s/a/wrong: 1 + 1\n*\n1 passed, 6 failed' test "$file"
expect 0 '1 passed, 0 failed' test "$file" --tier 1
expect 0 '*"passed": 1*"failed": 0*' test "$file" --tier 1 --json
expect 2 '*--tier*' test "$file" --tier x
expect 1 '*' test "$TMPDIR/none.json"
echo '{"tests": 1}' >"$file"
expect 2 '*no list "tests"*' test "$file"
echo '{' >"$file"
expect 2 '*' test "$file"

expect 0 '*eval*explain*test*print*reads*disassemble*' --help
expect 0 '*' --version

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
