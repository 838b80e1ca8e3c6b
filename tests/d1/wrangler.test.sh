#!/usr/bin/env bash
# `migrate --wrangler`: the three kinds of wrangler's file, environments, several databases, what is
# refused, the local database, and the ledger that wrangler reads.
# shellcheck source-path=SCRIPTDIR source=../walk/walk_lib.sh
. "$(dirname "$0")/../walk/walk_lib.sh"

unset LOCKSTEP_D1_TOKEN LOCKSTEP_DATABASE LOCKSTEP_MIGRATIONS CLOUDFLARE_ACCOUNT_ID
export CLOUDFLARE_API_TOKEN=a-token-for-this-test LOCKSTEP_ACTOR=test
coproc PEER { "$build/tests/d1/d1_peer_server" "$CLOUDFLARE_API_TOKEN"; }
peer_pid=$PEER_PID
read -r CLOUDFLARE_API_BASE_URL <&"${PEER[0]}"
export CLOUDFLARE_API_BASE_URL
migrate() { "$build/migrate" "$@"; }
id=11111111-2222-4333-8444-555555555555 other=00000000-0000-4000-8000-000000000003

# ---- the local database of `wrangler dev` ----

mkdir -p "$work/p/.wrangler/state/v3/d1/miniflare-D1DatabaseObject" "$work/p/db/0002_two"
cd "$work/p" || exit 2
echo 'CREATE TABLE Customer(CustomerId INTEGER PRIMARY KEY, Email TEXT);' >db/0001_init.sql
cat >db/0002_two/migration.json <<'JSON'
{"table": "Customer", "add": {"Domain": {"type": "TEXT"}}, "forward": {"Domain": "substr(Email, instr(Email, '@') + 1)"}}
JSON
cat >wrangler.toml <<TOML
name = "shop" # a Worker
main = "src/index.js"
account_id = "acc"
[[d1_databases]]
binding = "DB"
database_name = "shop"
database_id = "$other"
migrations_dir = "db"
migrations_table = "my ledger"
TOML
exits "no database is named" 2 migrate status
says "the file is offered" '*--wrangler .*'
exits "no local database yet" 1 migrate status --wrangler . --wrangler-local
says "how it is made" '*wrangler dev*makes it*'
# the name that miniflare gives to the file of this id
db=.wrangler/state/v3/d1/miniflare-D1DatabaseObject/aea88f13bd4201277aa656d8035d2e16f6c3891277ba4a027f818521f8fabdf4.sqlite
sqlite3 "$db" 'CREATE TABLE _cf_METADATA(key INTEGER PRIMARY KEY, value BLOB); CREATE TABLE "my ledger"(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)'
exits "the local database" 0 migrate apply --wrangler . --wrangler-local
says "the walk there" '*0002_two*'
same "the ledger that the file names" 0001_init.sql "$(sqlite3 "$db" 'SELECT name FROM "my ledger"')"
same "and no other" "" "$(sqlite3 "$db" "SELECT name FROM sqlite_master WHERE name = 'd1_migrations'")"
sqlite3 "$db" "INSERT INTO \"my ledger\"(name) VALUES('0003_by_wrangler.sql')"
echo 'CREATE TABLE x(a);' >db/0003_by_wrangler.sql
exits "what wrangler applied is applied" 0 migrate status --wrangler . --wrangler-local
says "it says so" '*0003_by_wrangler.sql*applied*'
rm db/0003_by_wrangler.sql

# ---- the remote one, from each kind of file ----

exits "over the network, an id that the account has not" 1 migrate status --wrangler wrangler.toml
sed "s/$other/$id/" wrangler.toml >remote.toml
exits "over the network" 0 migrate status --wrangler remote.toml
says "this database" "*d1://acc/$id*0002_two*pending*"

cat >broken.toml <<TOML
name = "shop
TOML
exits "a broken file" 2 migrate status --wrangler broken.toml
says "its line" '*broken.toml: line 1:*'
exits "no such file" 1 migrate status --wrangler none.toml
sed '/account_id/d' remote.toml >no_account.toml
exits "no account" 2 migrate status --wrangler no_account.toml
says "where it may stand" '*CLOUDFLARE_ACCOUNT_ID*'
CLOUDFLARE_ACCOUNT_ID=acc exits "the account from the surroundings" 0 migrate status --wrangler no_account.toml
says "it went on to the API" "*d1://acc/$id*"
sed '/database_id/d' wrangler.toml >no_id.toml
exits "no id" 2 migrate status --wrangler no_id.toml
says "says so" '*has no database_id*'

cat >wrangler.jsonc <<JSON
{
  // two databases, and an environment with one of its own
  "account_id": "acc",
  "d1_databases": [
    {"binding": "DB", "database_name": "shop", "database_id": "$other", "migrations_dir": "db", "migrations_table": "my ledger"},
    {"binding": "LOG", "database_name": "logs", "database_id": "$id"}, /* the logs */
  ],
  "env": {"staging": {"d1_databases": [{"binding": "DB", "database_id": "$other", "migrations_dir": "./db", "migrations_pattern": "db/*.sql",}]}, "empty": {}},
}
JSON
exits "several databases" 2 migrate status --wrangler wrangler.jsonc
says "they are named" '*--wrangler-binding*DB, LOG*'
exits "no such database" 1 migrate status --wrangler wrangler.jsonc --wrangler-binding CACHE
exits "one of them, local" 0 migrate status --wrangler wrangler.jsonc --wrangler-binding shop --wrangler-local
exits "the environment's own, local" 0 migrate status --wrangler wrangler.jsonc --wrangler-env staging --wrangler-local
says "its folder was read" '*0002_two*'
exits "an environment without a database" 1 migrate status --wrangler wrangler.jsonc --wrangler-env empty
exits "no such environment" 1 migrate status --wrangler wrangler.jsonc --wrangler-env production
exits "options of no file" 2 migrate status --wrangler-env staging
for pattern in 'db/**/*.sql' 'db/*/*.sql' '**/*.sql'; do
    sed "s#\"migrations_pattern\": \"[^\"]*\"#\"migrations_pattern\": \"$pattern\"#" wrangler.jsonc >pattern.jsonc
    exits "the pattern $pattern" 2 migrate plan --wrangler pattern.jsonc --wrangler-env staging --wrangler-local
    says "why not: $pattern" '*would run the files of a phased*'
done
cp db/0001_init.sql db/0002_same_number.sql
exits "equal numbers" 2 migrate plan --wrangler . --wrangler-binding DB --wrangler-local
exec {PEER[1]}>&-
wait "$peer_pid"
finish
