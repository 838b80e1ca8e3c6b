# Shared by the tests of `migrate` over the scripted D1 peer: the peer as a program, and a folder of migrations.
# shellcheck source-path=SCRIPTDIR source=../walk/walk_lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../walk/walk_lib.sh"

unset LOCKSTEP_D1_TOKEN LOCKSTEP_DATABASE LOCKSTEP_MIGRATIONS
export CLOUDFLARE_API_TOKEN=a-token-for-this-test LOCKSTEP_ACTOR=test
url=d1://acc/11111111-2222-4333-8444-555555555555
peer_pid=

start_peer() {
    [ -z "$peer_pid" ] || { exec {ask}>&- {told}<&-; wait "$peer_pid"; }
    coproc PEER { "$build/tests/d1/d1_peer_server" "$CLOUDFLARE_API_TOKEN"; }
    # shellcheck disable=SC2153
    peer_pid=$PEER_PID
    exec {told}<&"${PEER[0]}" {ask}>&"${PEER[1]}" {PEER[0]}<&- {PEER[1]}>&-
    read -r CLOUDFLARE_API_BASE_URL <&"$told"
    export CLOUDFLARE_API_BASE_URL
}
# peer LINE: the program's answer
peer() {
    local answer
    printf '%s\n' "$*" >&"$ask"
    read -r answer <&"$told"
    [ "$answer" = done ] || echo "$answer"
}
migrate() { "$build/migrate" "$@" --database "$url" --migrations "$work/migrations"; }

mkdir -p "$work/migrations/0002_domain"
cat >"$work/migrations/0001_init.sql" <<'SQL'
CREATE TABLE Customer(CustomerId INTEGER PRIMARY KEY, Name TEXT NOT NULL, Email TEXT);
INSERT INTO Customer(Name, Email) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT 'n' || i, 'm' || i || '@d' || (i % 7) || '.com' FROM n;
SQL
cat >"$work/migrations/0002_domain/migration.json" <<'JSON'
{"description": "mailbox and domain", "table": "Customer",
 "add": {"Mailbox": {"type": "TEXT"}, "Domain": {"type": "TEXT"}},
 "forward": {"Mailbox": "substr(Email, 1, instr(Email, '@') - 1)", "Domain": "substr(Email, instr(Email, '@') + 1)"},
 "drop": ["Email"], "reverse": {"Email": "Mailbox || '@' || Domain"}}
JSON
