#!/usr/bin/env bash
# `migrate` on d1://ACCOUNT/DATABASE, over the scripted peer: a whole walk with its ways back, Time
# Travel, what is refused before anything is sent, and faults of the way between.
# shellcheck source-path=SCRIPTDIR source=peer_lib.sh
. "$(dirname "$0")/peer_lib.sh"

# ---- forward, with writes of old and new code ----

start_peer
exits "plan" 0 migrate plan
says "plan shows the walk" '*0002_domain*expand*dual-write*contract*'
exits "nothing was left by plan" 0 migrate status
says "nothing was applied" '*0001_init.sql*pending*'
exits "the plain one" 0 migrate apply 0001_init.sql
exits "the price" 0 migrate plan
says "in requests and rows" '*cost: about * requests *594 rows written (USD 0.00)*each insert or update*writes 1 rows more*'
exits "dual-writing" 0 migrate apply --to dual-writing
peer sql "INSERT INTO Customer(Name, Email) VALUES('old', 'old@code.org')"
peer sql "UPDATE Customer SET Email = 'changed@code.org' WHERE CustomerId = 7"
exits "in-sync" 0 migrate apply --to in-sync
says "every row was verified" '*verified 501 rows: 0 differ*'
peer sql "INSERT INTO Customer(Name, Mailbox, Domain) VALUES('new', 'new', 'code.org')"
exits "old code wrote: the gate is closed" 3 migrate apply --to contracted
says "the gate says so" '*old-writes-idle*'
exits "contract" 0 migrate apply --to contracted --override-gate old-writes-idle --reason test
peer sql "UPDATE Customer SET Mailbox = 'third' WHERE CustomerId = 3"
exits "verify" 0 migrate verify

# ---- back, and forward again ----

exits "all the way back" 0 migrate rollback
peer sql "INSERT INTO Customer(CustomerId, Name, Email) SELECT 900, 'seen', Email FROM Customer WHERE CustomerId = 3 AND Email = 'third@d3.com'"
exits "forward again" 0 migrate apply --to in-sync
says "what was written in between is there" '*verified 503 rows: 0 differ*'
exits "contract again" 0 migrate apply --to contracted --override-gate old-writes-idle --reason test

# ---- Time Travel ----

exits "a recovery point is no file here" 2 migrate apply --to purged --recovery-point "$work/copy.db"
says "it says what it is" '*bookmark*'
exits "purge" 0 migrate apply --to purged
says "with a bookmark" '*recovery point: bookmark:mark-*'
mark=$(migrate history --json | grep -o 'bookmark:mark-[0-9]*, before purge' | head -1)
mark=${mark%,*}
peer sql "INSERT INTO Customer(CustomerId, Name, Mailbox, Domain) VALUES(901, 'late', 'late', 'code.org')"
exits "another bookmark" 1 migrate restore bookmark:other
exits "restore asks first" 3 migrate restore "$mark"
says "and says what is lost" '*purge*'
# A run that dies between Time Travel and its next batch: the next one finishes it.
chmod a-w "$work/migrations"
[ -w "$work/migrations" ] || exits "what would be lost cannot be kept" 3 migrate restore "$mark" --yes
chmod u+w "$work/migrations"
peer die-after-travel
exits "restore, cut off behind Time Travel" 1 migrate restore "$mark" --yes --reason oops
same "what was since is kept" 1 "$(find "$work/migrations" -name '.lockstep-restore-*.json' | wc -l)"
peer well
exits "the next run finishes it" 0 migrate verify
same "and forgets it" 0 "$(find "$work/migrations" -name '.lockstep-restore-*.json' | wc -l)"
exits "the history is whole" 0 migrate history
says "purge and restore, once each" '*purge*oops*'
same "once" 1 "$(grep -c 'leads forward again' <<<"$said")"
exits "forward again by the bookmark before" 0 migrate status
peer import-fault 4
exits "restore" 0 migrate restore "$mark" --yes --reason oops
exits "it is contracted again" 0 migrate status
says "as before the purge" '*0002_domain*contracted*'
exits "the history knows both" 0 migrate history
says "purge and restore" '*purge*restore*leads forward again*'
exits "and back from there" 0 migrate rollback
exits "nothing late is left" 0 migrate apply --to in-sync
says "the late row is gone" '*verified 503 rows: 0 differ*'
exits "contract a third time" 0 migrate apply --to contracted --override-gate old-writes-idle --reason test
peer no-travel
exits "no Time Travel, no purge" 3 migrate apply --to purged
says "the way out is named" '*--recovery-point none*'
exits "without a way back" 0 migrate apply --to purged --recovery-point none

# ---- a plan that counts rows written by the day ----

start_peer
exits "plain, bounded" 0 migrate apply 0001_init.sql
exits "no number" 2 migrate apply --rows-written-per-day 1e5
exits "the first day" 3 migrate apply --to in-sync --rows-written-per-day 200
says "the bound is named" '*rows were written today*allows 200*tomorrow*'
exits "the same day" 3 migrate apply --to in-sync --rows-written-per-day 200
says "nothing more is written" '*rows were written today*'
peer sql "UPDATE lockstep_meta SET value = '2020-01-01' || substr(value, 11) WHERE key = 'written'"
exits "the next day" 3 migrate apply --to in-sync --rows-written-per-day 200
peer sql "UPDATE lockstep_meta SET value = '2020-01-01' || substr(value, 11) WHERE key = 'written'"
exits "the third day" 0 migrate apply --to in-sync --rows-written-per-day 200
says "all rows are there" '*verified 500 rows: 0 differ*'

# ---- faults on the way: nothing is lost, nothing done twice ----

start_peer
for fault in 1 0 3 0 4 0 5 0 6 0 7 0 9 10 0 4 6; do peer fault "$fault"; done
exits "plain under faults" 0 migrate apply 0001_init.sql
for fault in 0 4 0 0 6 0 0 7 0 9 0 0 4 0 0 6 9 0 0 0 7 0 0 4 0 0 0 6; do peer fault "$fault"; done
exits "the walk under faults" 0 migrate apply --to in-sync
says "each row once" '*verified 500 rows: 0 differ*'

# ---- what D1 cannot do is refused before anything is done ----

start_peer
exits "plain" 0 migrate apply 0001_init.sql
requests=$(peer requests)
migrate status >/dev/null
same "a status takes few requests" yes "$(n=$(($(peer requests) - requests)); [ "$n" -le 20 ] && echo yes || echo "$n")"
for add in '"not_null": true' '"check": "Domain <> 1"' '"default": "0"'; do
    sed -i "s/\"Domain\": {\"type\": \"TEXT\"[^}]*}/\"Domain\": {\"type\": \"TEXT\", $add}/" "$work/migrations/0002_domain/migration.json"
    exits "refused: $add" 2 migrate plan
    says "the reason: $add" "*cannot change a table's text in place*"
    exits "refused by apply: $add" 2 migrate apply
done
sed -i "s/\"Domain\": {\"type\": \"TEXT\"[^}]*}/\"Domain\": {\"type\": \"TEXT\"}/; s/\"drop\": \[\"Email\"\], \"reverse\": {\"Email\": \"[^}]*}/\"drop\": [\"Name\"], \"reverse\": {\"Name\": \"Mailbox\"}/" "$work/migrations/0002_domain/migration.json"
exits "a NOT NULL column cannot go" 2 migrate plan
says "the reason of that" '*cannot loosen that in place*'
printf 'BEGIN;\nCREATE TABLE x(a);\nCOMMIT;\n' >"$work/migrations/0003_own.sql"
rm -r "$work/migrations/0002_domain"
exits "own transactions" 2 migrate apply
printf 'CREATE TABLE x(a);\nINSERT INTO x VALUES(%s);\n' "'$(head -c 100001 /dev/zero | tr '\0' y)'" >"$work/migrations/0003_own.sql"
exits "a statement that D1 does not take" 2 migrate plan
says "its size" '*0003_own.sql: a statement of apply (2) *a statement of 1000* bytes; D1 takes 100000*'
rm "$work/migrations/0003_own.sql"
for i in {10..49}; do printf 'CREATE TABLE p%d(a);\nINSERT INTO p%d VALUES(1);\n' "$i" "$i" >"$work/migrations/00${i}_plain.sql"; done
requests=$(peer requests)
exits "a plan of forty files" 0 migrate plan
same "takes few requests, however many" yes "$(n=$(($(peer requests) - requests)); [ "$n" -le 20 ] && echo yes || echo "$n")"
rm "$work"/migrations/00[1-4]?_plain.sql

# The bounds of the engine, known by trying on a copy of the schema: SQL, what plan says of it.
bound() {
    local requests
    printf 'CREATE TABLE x(a, b);\n%s;\n' "$2" >"$work/migrations/0003_own.sql"
    requests=$(peer sent)
    exits "$1 is refused by plan" 2 migrate plan
    says "$1: with the reason" "*0003_own.sql*$3*"
    same "$1: nothing was sent but questions" "$requests" "$(peer sent)"
}
many() { local text; printf -v text "%$1s" ''; printf '%s' "${text// /$2}"; }
bound "expression depth" "INSERT INTO x SELECT 1, 1$(many 100 '+1')" 'Expression tree is too large (maximum depth 100)'
bound "compound select" "INSERT INTO x(a) SELECT 1$(many 5 ' UNION ALL SELECT 1')" 'too many terms in compound SELECT'
bound "arguments" "INSERT INTO x(a) SELECT max(1$(many 32 ',1'))" 'too many arguments on function max'
bound "columns" "CREATE TABLE wide(c$(for i in {1..100}; do printf ',c%d' "$i"; done))" 'too many columns on wide'
bound "instructions" "INSERT INTO x(a) VALUES(1)$(many 24000 ',(1)')" 'more than 25000 instructions'
bound "a pattern" "DELETE FROM x WHERE a LIKE '$(many 51 z)'" 'a pattern of 51 bytes; D1 takes 50'
bound "a module" "CREATE VIRTUAL TABLE r USING rtree(a, b, c)" 'virtual tables of rtree'
bound "a function" "INSERT INTO x(a) SELECT power(2, 3)" 'the function power'
bound "a name" "CREATE TABLE _cf_x(a)" 'the name _cf_x'
rm "$work/migrations/0003_own.sql"
mkdir "$work/migrations/0002_deep"
printf '{"description": "deep", "table": "Customer", "add": {"Long": {"type": "TEXT"}}, "forward": {"Long": "Email%s"}}' "$(many 97 " || 'a'")" >"$work/migrations/0002_deep/migration.json"
exits "a trigger that is too deep" 2 migrate plan
says "which phase" "*0002_deep: a statement of dual-write*Expression tree is too large*"
rm -r "$work/migrations/0002_deep"
CLOUDFLARE_API_TOKEN=wrong-token exits "a wrong token" 1 migrate status
says "the permission is named" '*D1 Edit*'
case $said in *wrong-token*) same "the token is in no message" absent present ;; *) same "the token is in no message" 1 1 ;; esac
printf '%s\n' "$CLOUDFLARE_API_TOKEN" >"$work/token-file"
unset CLOUDFLARE_API_TOKEN
exits "no token" 1 migrate status
exits "a token in a file" 0 migrate status --database-token-file "$work/token-file"
exec {ask}>&- {told}<&-
wait "$peer_pid"
finish
