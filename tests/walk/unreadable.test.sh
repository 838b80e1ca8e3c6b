#!/usr/bin/env bash
# Views and triggers of the application that SQLite cannot read in migrate: they hold up neither the way
# forward nor the way back, and are afterwards what they were; where they would be fired, or an index
# needs a collation of the application, it is said before anything is changed.
. "$(dirname "$0")/walk_lib.sh"
db=$work/app.db
m=$build/migrate
export LOCKSTEP_DATABASE=$db LOCKSTEP_MIGRATIONS=$work/migrations LOCKSTEP_ENVIRONMENT=test
mkdir -p "$work/migrations/0001_split"
cat >"$work/migrations/0001_split/migration.json" <<'JSON'
{
  "table": "person",
  "add": {"mailbox": {"type": "TEXT", "not_null": true}, "domain": {"type": "TEXT", "not_null": true}},
  "forward": {"mailbox": "substr(email, 1, instr(email, '@') - 1)", "domain": "substr(email, instr(email, '@') + 1)"},
  "drop": ["email"],
  "reverse": {"email": "mailbox || '@' || domain"},
  "old_writes_idle": "0s"
}
JSON
begin() {
    rm -f "$db" "$db"-*
    sqlite3 "$db" "CREATE TABLE person(id INTEGER PRIMARY KEY, email TEXT NOT NULL, note TEXT);
        CREATE TABLE other(a); INSERT INTO person(email) VALUES('a@b.example'), ('c@d.example');"
}
state() { "$m" status --json 2>/dev/null | jq -r '.migrations[0].state'; }
others() { sql "SELECT type, name, sql FROM sqlite_master WHERE name IN ('gone', 'mine', 'on_gone', 'calls', 'fine', 'counts') ORDER BY name"; }
begin
sql "CREATE VIEW gone AS SELECT x FROM no_such_table;
     CREATE VIEW mine AS SELECT my_function(note) AS n FROM person;
     CREATE TRIGGER on_gone INSTEAD OF INSERT ON gone BEGIN SELECT 1; END;
     CREATE TRIGGER calls AFTER INSERT ON other BEGIN SELECT my_function(NEW.a); END;
     CREATE VIEW fine AS SELECT note FROM person;
     CREATE TRIGGER counts AFTER DELETE ON person BEGIN DELETE FROM other; END;"
before=$(others)
exits "plan" 0 "$m" plan
says "plan: names them" "*view gone cannot be read here (*no_such_table)*trigger on_gone cannot*"
case $said in *"fine cannot"* | *"counts cannot"*) same "plan: and no others" "" "$said" ;; *) same "plan: and no others" 0 0 ;; esac
exits "in-sync" 0 "$m" apply --to in-sync
exits "contracted" 0 "$m" apply --to contracted
same "they are what they were" "$before" "$(others)"
exits "and back" 0 "$m" rollback
same "they are what they were, again" "$before" "$(others)"
same "the schema" "CREATE TABLE person(id INTEGER PRIMARY KEY, email TEXT NOT NULL, note TEXT)" "$(sql "SELECT sql FROM sqlite_master WHERE name = 'person'")"
exits "to the end" 0 "$m" apply --to purged --recovery-point none
same "to the end: what they were" "$before" "$(others)"

begin
sql "CREATE TRIGGER fired AFTER UPDATE ON person BEGIN SELECT my_function(NEW.note); END"
exits "one that would be fired" 3 "$m" apply
says "it is named" "*trigger \"fired\" cannot run here*my_function*"
same "nothing was changed" "pending" "$(state)"

# One of SQLite's own is the application's too, in whatever letters the index or the column says it.
begin
sql "CREATE INDEX by_note ON person(note collate nocase, email collate rTrim)"
exits "SQLite's collations in small letters" 0 "$m" apply --to in-sync

begin
python3 - "$db" <<'PY' 2>/dev/null || { echo "no python3: collations are left out"; finish; }
import sqlite3, sys
c = sqlite3.connect(sys.argv[1])
c.create_collation("german", lambda a, b: (a > b) - (a < b))
c.execute("CREATE INDEX by_note ON person(note COLLATE german)")
c.commit()
PY
exits "a collation of the application" 3 "$m" apply
says "the index is named" "*index \"by_note\" of \"person\" compares by \"german\"*"
same "nothing was changed" "pending" "$(state)"
finish
