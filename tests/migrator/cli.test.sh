#!/usr/bin/env bash
# The program migrate from outside: what it says in text and JSON, and its exit codes, compared with
# cli.golden (GOLDEN=1 rewrites it). Times are masked.
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../../build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
m=$build/migrate
work=$(mktemp -d "${TMPDIR:-/tmp}/cli.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset LOCKSTEP_DATABASE LOCKSTEP_MIGRATIONS LOCKSTEP_ENVIRONMENT LOCKSTEP_FLAG_SERVER LOCKSTEP_TOKEN
export NO_COLOR=1 LOCKSTEP_ACTOR=tester

mask() {
    sed -E -e 's/[0-9]+(\.[0-9]+)? (ms|s|min)\b/TIME/g' -e 's/"([a-z_]*_ms)": [0-9.e+-]+/"\1": 0/' \
        -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/AT/g' -e 's/"database_id": "[0-9a-f]+"/"database_id": "ID"/' \
        -e 's/[0-9]+ h TIME/TIME/' -e 's/[0-9]{8}T[0-9]{6}Z/STAMP/' \
        -e 's/[0-9]+ tables, [0-9]+ bytes/SIZE/' -e 's/recovery-point, [0-9]+ rows/recovery-point, ROWS/'
}
say() { # runs migrate; its words and exit code go into the golden
    echo "\$ migrate $*"
    "$m" "$@" >out 2>err
    local code=$?
    mask <out
    grep -v '^\(backfill\|verify\) ' err | mask | sed 's/^/! /'
    echo "[$code]"
    echo
}
sql() { sqlite3 -bail app.db "$@"; }

transcript() {
    sql "CREATE TABLE customer(id INTEGER PRIMARY KEY, email TEXT NOT NULL);
         INSERT INTO customer(email) VALUES('ann@acme.com'), ('bob@globex.com')"
    mkdir -p migrations/0002_split
    echo 'CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT);' >migrations/0001_note.sql
    cat >migrations/0002_split/migration.json <<'JSON'
{
  "description": "The e-mail address is split",
  "table": "customer",
  "add": {"domain": {"type": "TEXT", "not_null": true}, "mailbox": {"type": "TEXT", "not_null": true}},
  "forward": {"mailbox": "substr(email, 1, instr(email, '@') - 1)", "domain": "substr(email, instr(email, '@') + 1)"},
  "drop": ["email"],
  "reverse": {"email": "mailbox || '@' || domain"},
  "gates": {"contract": "verify.rows >= 3 && environment == 'test'"},
  "old_writes_idle": "0s"
}
JSON
    say status
    say status -d app.db
    say status -d app.db --json
    say plan -d app.db --exit-code 1
    say plan -d app.db 2
    say plan -d app.db 2 --sql
    say apply -d app.db -e test --to expandet
    say apply -d app.db -e test --to pending
    say apply -d app.db -e test --wait soon
    say apply -d app.db -e test --override-gate verified
    say apply 0002_splt -d app.db -e test
    say apply -d app.db -e "$(printf 'x%.0s' $(seq 70))"
    say apply -d app.db -e test
    say apply -d app.db -e test --to contracted
    say apply -d app.db -e test --to contracted --json
    say apply -d app.db -e test --to contracted --override-gate verified --reason "I know better"
    say apply -d app.db -e production
    sql "INSERT INTO customer(mailbox, domain) VALUES('new', 'acme.com')"
    say apply -d app.db -e test --json
    say apply -d app.db -e test
    say plan -d app.db --exit-code
    say verify -d app.db
    say status -d app.db
    say rollback -d app.db --phase --to in-sync
    say rollback -d app.db --without-flag-server
    say rollback -d app.db --phase
    say rollback -d app.db --to contracted
    say rollback -d app.db
    say rollback -d app.db
    say apply -d app.db --to contracted --override-gate declared --reason "tested by hand"
    say apply -d app.db --to purged --recovery-point app.db
    say apply -d app.db --to purged
    say rollback -d app.db
    say verify -d app.db
    say history -d app.db
    say history -d app.db 1 --json
    say history -d app.db 0003
    say unlock -d app.db
    say unlock -d app.db --reason "nobody has it"
    sql "UPDATE lockstep_lock SET owner = 'elsewhere pid 7 since 1 on boot/pid:[1]', taken_at = 0, expires_at = 4102444800000"
    say status -d app.db | grep -v expires
    say unlock -d app.db --reason "I think it is dead"
    say unlock -d app.db --reason "I think it is dead" --json
    sql "UPDATE lockstep_lock SET expires_at = 1"
    say status -d app.db
    say status -d app.db --json | grep -A 6 '"lock"'
    say unlock -d app.db --reason "its machine burned down"
    sql "SELECT epoch > 1, owner IS NULL FROM lockstep_lock"
    say history -d app.db | tail -4
    ls app.db.before-purge* | mask
    sqlite3 "$(echo app.db.before-purge*)" "SELECT count(*) FROM customer WHERE lockstep_2_email LIKE '%@%'"
    sql "SELECT event, from_state, to_state, detail FROM lockstep_history ORDER BY id" | mask
    say history -d new.db
    say plan -d new.db
    say plan -d new.db --create 1
    say apply -d new.db
    echo '{' >migrations/0002_split/migration.json
    say status -d app.db
    say --help
}

transcript >got 2>&1
if [ -n "${GOLDEN:-}" ]; then
    cp got "$here/cli.golden"
fi
commands=$(grep -c '^\$' got)
if diff -u "$here/cli.golden" got; then
    echo "$commands passed, 0 failed"
else
    echo "0 passed, 1 failed"
    exit 1
fi
