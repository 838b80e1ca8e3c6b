#!/usr/bin/env bash
# The whole walk on a database that nobody here designed: Chinook, whose Customer.Email is NOT NULL.
# Old and new code read and write in every state; schema and rows are compared with the start.
. "$(dirname "$0")/walk_lib.sh"
if [ ! -r "$shared/data/chinook.sql" ]; then
    echo "left out: Chinook is not here (../shared/data/chinook.sql)"
    echo "0 passed, 0 failed"
    exit 0
fi
db=$work/chinook.db
sqlite3 "$db" <"$shared/data/chinook.sql" || exit 1
mkdir -p "$work/migrations/0001_split_email"
cat >"$work/migrations/0001_split_email/migration.json" <<'JSON'
{
  "description": "The e-mail address is split, so that customers can be found by domain",
  "table": "Customer",
  "add": {
    "Mailbox": {"type": "TEXT", "not_null": true},
    "Domain":  {"type": "TEXT", "not_null": true, "check": "Domain = lower(Domain)"}
  },
  "forward": {
    "Mailbox": "substr(Email, 1, instr(Email, '@') - 1)",
    "Domain":  "lower(substr(Email, instr(Email, '@') + 1))"
  },
  "drop": ["Email"],
  "reverse": {"Email": "Mailbox || '@' || Domain"},
  "valid_old": "instr(Email, '@') > 1",
  "flag": "read-customer-domain",
  "old_writes_idle": "1s"
}
JSON
export LOCKSTEP_DATABASE=sqlite:$db LOCKSTEP_MIGRATIONS=$work/migrations LOCKSTEP_ENVIRONMENT=test
m=$build/migrate f=$build/flags flag=read-customer-domain

schema() { sql "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'lockstep%' AND name NOT LIKE 'd1_%' AND name NOT LIKE 'sqlite_%' ORDER BY 1, 2"; }
customers() { sql "SELECT * FROM Customer ORDER BY 1"; }
old_insert() { sql "INSERT INTO Customer(FirstName, LastName, Email) VALUES('Old', 'Code', '$1')"; }
new_insert() { sql "INSERT INTO Customer(FirstName, LastName, Mailbox, Domain) VALUES('New', 'Code', '$1', '$2')"; }

schema_before=$(schema)
customers_before=$(customers)

exits "a flag that is unknown is refused before anything is done" 2 env LOCKSTEP_FLAG_SERVER="$work/no-url" "$m" apply
same "and nothing was changed" "$schema_before" "$(schema)"
init_server
exits "the flag must exist" 1 "$m" apply
says "the command to make it is named" "*flags create $flag*"
exits "create the flag" 0 "$f" create $flag
exits "turn it on" 0 "$f" on $flag

exits "plan" 0 "$m" plan
same "a plan touches nothing" "$schema_before" "$(schema)"
exits "plan --exit-code says that changes are pending" 5 "$m" plan --exit-code
exits "expand" 0 "$m" apply --to expanded
same "old code may insert" "" "$(old_insert "ann@expanded.example")"
exits "the flag may not ramp before in-sync" 3 "$f" ramp $flag --domain apple.com --to 100%
says "the refusal names the migration" "*0001_split_email*"
exits "walk to in-sync" 0 "$m" apply --to in-sync
same "every row has both shapes" 0 "$(sql "SELECT count(*) FROM Customer WHERE Email IS NOT Mailbox || '@' || Domain")"
same "old code may insert, the new shape follows" "" "$(old_insert "bob@in-sync.example")"
same "it did" "bob|in-sync.example" "$(sql "SELECT Mailbox, Domain FROM Customer WHERE Email = 'bob@in-sync.example'")"
same "new code may insert without the NOT NULL old column" "" "$(new_insert cy in-sync.example)"
same "the old shape follows" "cy@in-sync.example" "$(sql "SELECT Email FROM Customer WHERE Mailbox = 'cy'")"

exits "a customer goes over" 0 "$f" ramp $flag --domain apple.com --to 100%
exits "contract waits for the flag" 3 "$m" apply --to contracted
says "and says what is behind" "*flag*"
exits "everybody goes over" 0 "$f" ramp $flag --to 100%
exits "contract" 0 "$m" apply --to contracted --wait 20s
same "old code fails loudly" 1 "$(old_insert x@y.example | grep -c 'no column named Email')"
same "new code may insert" "" "$(new_insert dee contracted.example)"
same "the declared NOT NULL holds" 1 "$(sql "INSERT INTO Customer(FirstName, LastName, Domain) VALUES('N', 'N', 'a.example')" | grep -ci 'not null\|constraint')"
exits "the flag cannot be turned off" 3 "$f" off $flag
exits "nor taken back for one customer" 3 "$f" ramp $flag --domain apple.com --to 0%
says "the refusal says which command goes first" "*migrate rollback*"

exits "back to in-sync" 0 "$m" rollback --to in-sync
same "what was written since has its old shape" "dee@contracted.example" "$(sql "SELECT Email FROM Customer WHERE Mailbox = 'dee'")"
exits "the way below in-sync waits for the flag" 3 "$m" rollback
says "and names the command" "*flags off $flag*"
exits "the flag goes off" 0 "$f" off $flag
exits "back to pending" 0 "$m" rollback
same "the schema is as it was" "$schema_before" "$(schema)"
same "old rows are as they were" "$customers_before" "$(sql "SELECT * FROM Customer WHERE CustomerId <= 59 ORDER BY 1")"
same "new rows are all there" 4 "$(sql "SELECT count(*) FROM Customer WHERE CustomerId > 59 AND Email LIKE '%.example'")"

exits "flag on again is refused while the schema is old" 3 "$f" on $flag
exits "forward again" 0 "$m" apply --to in-sync
exits "on" 0 "$f" on $flag
exits "contract again" 0 "$m" apply --to contracted --wait 20s
exits "purge" 0 "$m" apply --to purged
same "the old column is gone" 0 "$(sql "SELECT count(*) FROM pragma_table_info('Customer') WHERE name IN ('Email') OR name LIKE 'lockstep%'")"
same "all customers are there" 63 "$(sql "SELECT count(*) FROM Customer WHERE Mailbox <> '' AND Domain <> ''")"
exits "no way back from purged" 3 "$m" rollback
same "the file is sound" ok "$(sql "PRAGMA integrity_check")"
same "no reference is broken" "" "$(sql "PRAGMA foreign_key_check")"
exits "a second apply has nothing to do" 0 "$m" apply
exits "and plan --exit-code says so" 0 "$m" plan --exit-code
stop_server
same "the server ended cleanly" 0 $?
finish
