#!/usr/bin/env bash
# A plan that was written down, and apply held to it: every case folder walks to its end under the plan
# made at its start, phase by phase; whatever changes meanwhile is named, and rows, times and another
# program's work on other tables are no change.
. "$(dirname "$0")/walk_lib.sh"
db=$work/app.db
m=$build/migrate
export LOCKSTEP_DATABASE=$db LOCKSTEP_MIGRATIONS=$work/migrations LOCKSTEP_ENVIRONMENT=test

# ---- every case ----
walked=0 seen=0
for case in "$root"/tests/migrator/cases/*; do
    name=${case##*/}
    case $name in refused_*) continue ;; esac
    [ -e "$case/migration.json" ] || continue
    seen=$((seen + 1)) # every fifth, and all of them in check-full
    [ "${CHECK_FULL:-0}" = 1 ] || [ $((seen % 5)) -eq 0 ] || [ "$name" = split_email ] || continue
    rm -rf "$db" "$db"-* "$work/migrations"
    mkdir -p "$work/migrations/0007_case"
    cp "$case"/migration.json "$work/migrations/0007_case/"
    for file in "$case"/{expand,dual_write,backfill,verify,contract}*.sql; do [ -e "$file" ] && cp "$file" "$work/migrations/0007_case/"; done
    jq '. + {"old_writes_idle": "0s"} | del(.flag)' "$case/migration.json" >"$work/migrations/0007_case/migration.json"
    sqlite3 -bail "$db" <"$case/old.sql" && { [ ! -e "$case/seed.sql" ] || sqlite3 -bail "$db" <"$case/seed.sql"; } || { echo "$name: cannot be made"; continue; }
    "$m" plan --to purged --out "$work/plan.json" >"$work/out" 2>&1 || { same "$name: planned" 0 $?; cat "$work/out"; continue; }
    for state in expanded dual-writing in-sync contracted purged; do
        [ $state = in-sync ] && [ -e "$case/write_old.sql" ] && sqlite3 "$db" <"$case/write_old.sql" >/dev/null 2>&1
        "$m" apply --plan "$work/plan.json" --to $state --wait 3s --recovery-point none >"$work/out" 2>&1
        code=$?
        # a case may stop at a gate for a reason of its own; the plan must never be it
        if grep -q 'as it was planned\|has no phase' "$work/out"; then
            same "$name: $state as planned" 0 $code
            cat "$work/out"
            break
        fi
        [ $code -eq 0 ] || break
    done
    walked=$((walked + 1))
done
same "cases walked" yes "$([ $walked -ge 4 ] && echo yes || echo $walked)"

# ---- what changes meanwhile ----
begin() {
    rm -rf "$db" "$db"-* "$work/migrations"
    mkdir -p "$work/migrations/0002_split"
    echo 'CREATE TABLE person(id INTEGER PRIMARY KEY, email TEXT NOT NULL, age INTEGER);' >"$work/migrations/0001_person.sql"
    cat >"$work/migrations/0002_split/migration.json" <<'JSON'
{
  "table": "person",
  "add": {"mailbox": {"type": "TEXT", "not_null": true}, "domain": {"type": "TEXT", "not_null": true}},
  "forward": {"mailbox": "substr(email, 1, instr(email, '@') - 1)", "domain": "substr(email, instr(email, '@') + 1)"},
  "drop": ["email"],
  "reverse": {"email": "mailbox || '@' || domain"},
  "old_writes_idle": "0s",
  "gates": {"contract": "verify.rows >= 0"}
}
JSON
    sqlite3 "$db" "CREATE TABLE used(a); INSERT INTO used VALUES(1)" # so that nothing is fresh
}
edit() { sed -i "$1" "$work/migrations/0002_split/migration.json"; }
begin
exits "plan" 0 "$m" plan --out "$work/plan.json"
same "it is one" 1 "$(jq .lockstep_plan "$work/plan.json")"
exits "apply one" 0 "$m" apply --plan "$work/plan.json" 0001
sql "INSERT INTO person(email) VALUES('a@b.example'), ('c@d.example'); CREATE TABLE elsewhere(x)"
exits "rows and other tables are no change" 0 "$m" apply --plan "$work/plan.json" --to in-sync
sql "INSERT INTO person(email) VALUES('e@f.example')"
exits "nor are more" 0 "$m" apply --plan "$work/plan.json"
same "to where the plan goes" contracted "$("$m" status --json | jq -r '.migrations[1].state')"
exits "beyond it" 3 "$m" apply --plan "$work/plan.json" --to purged --recovery-point none
says "beyond it: said" "*has no phase 'purge'*"
exits "done: nothing to do" 0 "$m" apply --plan "$work/plan.json"

begin
exits "the table is there" 0 "$m" apply 0001
exits "plan to purged" 0 "$m" plan 0002 --to purged --out "$work/plan.json"
edit 's/verify.rows >= 0/verify.rows >= 1/'
exits "another gate" 3 "$m" apply --plan "$work/plan.json"
says "another gate: said" "*0002_split, expand: not as it was planned: its file was edited*"
edit 's/verify.rows >= 1/verify.rows >= 0/'
exits "expanded" 0 "$m" apply --plan "$work/plan.json" --to expanded
sql "ALTER TABLE person ADD COLUMN height INTEGER"
exits "the table was changed" 3 "$m" apply --plan "$work/plan.json" --to in-sync
says "the table: said" "*dual-write: not as it was planned:*application changed the schema of its table*"
same "nothing moved" expanded "$("$m" status --json | jq -r '.migrations[1].state')"
sql "ALTER TABLE person DROP COLUMN height"
exits "as before: goes on" 0 "$m" apply --plan "$work/plan.json" --to in-sync
sql "CREATE TRIGGER mine AFTER DELETE ON person BEGIN DELETE FROM used; END"
exits "a trigger" 3 "$m" apply --plan "$work/plan.json" --to contracted
says "a trigger: said" "*contract: not as it was planned: the application changed the schema*"
sql "DROP TRIGGER mine"
# differs WHAT DO UNDO: each closes the plan, and taking it back opens it
differs() {
    sql "$2"
    exits "$1" 3 "$m" apply --plan "$work/plan.json" --to contracted
    says "$1: said" "*contract: not as it was planned:*the application changed the schema*"
    sql "$3"
}
differs "an index" "CREATE INDEX by_age ON person(age)" "DROP INDEX by_age"
differs "a view" "CREATE VIEW old AS SELECT age FROM person" "DROP VIEW old"
differs "a CHECK" "PRAGMA writable_schema=1; UPDATE sqlite_master SET sql = replace(sql, 'age INTEGER', 'age INTEGER CHECK(age > 0)') WHERE name = 'person'" \
    "PRAGMA writable_schema=1; UPDATE sqlite_master SET sql = replace(sql, ' CHECK(age > 0)', '') WHERE name = 'person'"
differs "a DEFAULT" "PRAGMA writable_schema=1; UPDATE sqlite_master SET sql = replace(sql, 'age INTEGER', 'age INTEGER DEFAULT 1') WHERE name = 'person'" \
    "PRAGMA writable_schema=1; UPDATE sqlite_master SET sql = replace(sql, ' DEFAULT 1', '') WHERE name = 'person'"
sql "CREATE VIEW elsewhere_too AS SELECT x FROM elsewhere; CREATE TABLE elsewhere(x); CREATE INDEX there ON elsewhere(x)"
exits "what names other tables is no change" 0 "$m" apply --plan "$work/plan.json" --to contracted --wait 3s
exits "back to pending" 0 "$m" rollback
exits "a plan that begins elsewhere" 0 "$m" plan 0002 --out "$work/whole.json"
exits "in-sync again" 0 "$m" apply 0002 --to in-sync
exits "plan from in-sync" 0 "$m" plan 0002 --out "$work/late.json"
exits "back again" 0 "$m" rollback
exits "it does not begin there" 3 "$m" apply --plan "$work/late.json"
says "does not begin: said" "*is pending now, and the plan, which began at in-sync, has no phase 'expand'*"
echo 'CREATE TABLE z(a);' >"$work/migrations/0003_z.sql"
exits "a new migration is none of a plan of one" 0 "$m" apply --plan "$work/whole.json" --to in-sync
exits "plan all" 0 "$m" plan --out "$work/all.json"
echo 'CREATE TABLE y(a);' >"$work/migrations/0004_y.sql"
exits "a new migration and a plan of all" 3 "$m" apply --plan "$work/all.json"
says "a new one: said" "*0004_y.sql is not in the plan*"
rm "$work/migrations/0004_y.sql"
jq '.migrations[0].phases[0].digest = "x"' "$work/all.json" >"$work/forged.json"
exits "an edited plan" 3 "$m" apply --plan "$work/forged.json"
exits "another environment's" 3 "$m" apply --plan <(jq '.environment = "production"' "$work/all.json")
exits "another database's" 3 "$m" apply --plan <(jq '.database_id = "0"' "$work/all.json")
exits "no plan" 2 "$m" apply --plan "$root/tests/migrator/cases/split_email/migration.json"
exits "no file" 1 "$m" apply --plan "$work/nothing.json"
exits "the right one" 0 "$m" apply --plan "$work/all.json"

# ---- a fresh database ----
begin
rm -f "$db"
exits "fresh: plan" 0 "$m" plan --create --out "$work/fresh.json"
exits "fresh: apply" 0 "$m" apply --create --plan "$work/fresh.json"
same "fresh: at the end" "applied purged" "$("$m" status --json | jq -r '[.migrations[].state] | join(" ")')"
finish
