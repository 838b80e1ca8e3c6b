#!/usr/bin/env bash
# Databases that nobody here designed, each with several migrations in flight at once, on tables of
# their own: Chinook, and (make check-full) proj.db of PROJ, the EPSG registry: 36 tables, keys of two
# columns WITHOUT ROWID, CHECKs, foreign keys, 35 triggers that RAISE, views over half of it.
# Old and new code write in between; all the way back the file is as it was, but for what was written.
. "$(dirname "$0")/walk_lib.sh"
export LOCKSTEP_ENVIRONMENT=test
m=$build/migrate

# migration FOLDER JSON: each without waiting for old code to fall silent
migration() {
    mkdir -p "$LOCKSTEP_MIGRATIONS/$1"
    printf '{%s, "old_writes_idle": "0s"}\n' "$2" >"$LOCKSTEP_MIGRATIONS/$1/migration.json"
}
schema() { sql "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'lockstep%' AND name NOT LIKE 'd1_%' AND name NOT LIKE 'sqlite_%' ORDER BY 1, 2"; }
# Every row of every table of the application.
rows() {
    for table in $(sql "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'lockstep%' AND name NOT LIKE 'd1_%' AND name NOT LIKE 'sqlite_%' ORDER BY 1"); do
        echo "$table"
        sql "SELECT * FROM \"$table\"" | LC_ALL=C sort
    done | sha256sum
}
# refused WHAT PATTERN SQL: the application's own statement fails as it should
refused() {
    said=$(sql "$3")
    says "$1" "*$2*"
}
states() { "$m" status --json | grep -c "\"state\": \"$1\""; }
begin() {
    db=$work/$1.db
    export LOCKSTEP_DATABASE=sqlite:$db LOCKSTEP_MIGRATIONS=$work/$1
}
# forth_and_back COUNT: old_writes, new_writes, read_both and undo are functions of the database at hand
forth_and_back() {
    local before rows_before count=$1 i
    before=$(schema)
    rows_before=$(rows)
    exits "$db: plan of all" 0 "$m" plan
    same "$db: a plan touches nothing" "$before" "$(schema)"
    exits "$db: all to in-sync" 0 "$m" apply --to in-sync
    same "$db: $count in flight at once" "$count" "$(states in-sync)"
    same "$db: old code writes" "" "$(old_writes)"
    same "$db: new code writes" "" "$(new_writes)"
    read_both
    exits "$db: verify" 0 "$m" verify
    same "$db: undone" "" "$(undo)"
    exits "$db: all to contracted" 0 "$m" apply --to contracted
    same "$db: $count contracted" "$count" "$(states contracted)"
    same "$db: new code writes" "" "$(new_writes)"
    same "$db: undone" "" "$(undo)"
    for i in $(seq "$count"); do
        exits "$db: rollback $i" 0 "$m" rollback
    done
    same "$db: all pending" "$count" "$(states pending)"
    same "$db: the schema is as it was" "$before" "$(schema)"
    same "$db: every row is as it was" "$rows_before" "$(rows)"
    exits "$db: to the end" 0 "$m" apply --to purged --recovery-point none
    same "$db: $count purged" "$count" "$(states purged)"
    same "$db: new code writes" "" "$(new_writes)"
    same "$db: nothing of ours is in its way" 0 "$(sql "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'lockstep%'")"
    same "$db: nothing is set aside" 0 "$(sql "SELECT count(*) FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table' AND m.name NOT LIKE 'lockstep%' AND c.name LIKE 'lockstep%'")"
    same "$db: sound" ok "$(sql "PRAGMA integrity_check")"
    same "$db: no reference is broken" "" "$(sql "PRAGMA foreign_key_check")"
}

# ---- Chinook ----

chinook() {
    begin chinook
    sqlite3 "$db" <"$shared/data/chinook.sql" || exit 1
    migration 0001_email '"table": "Customer", "add": {"Mailbox": {"type": "TEXT", "not_null": true}, "Domain": {"type": "TEXT", "not_null": true}}, "forward": {"Mailbox": "substr(Email, 1, instr(Email, '"'@'"') - 1)", "Domain": "substr(Email, instr(Email, '"'@'"') + 1)"}, "drop": ["Email"], "reverse": {"Email": "Mailbox || '"'@'"' || Domain"}, "valid_old": "instr(Email, '"'@'"') > 1"'
    migration 0002_cents '"table": "Invoice", "add": {"TotalCents": {"type": "INTEGER", "not_null": true, "check": "TotalCents >= 0"}}, "forward": {"TotalCents": "CAST(round(Total * 100) AS INTEGER)"}, "drop": ["Total"], "reverse": {"Total": "TotalCents / 100.0"}'
    migration 0003_seconds '"table": "Track", "add": {"Seconds": {"type": "REAL", "not_null": true}, "Explicit": {"type": "INTEGER", "not_null": true}}, "forward": {"Seconds": "Milliseconds / 1000.0", "Explicit": "0"}, "drop": ["Milliseconds"], "reverse": {"Milliseconds": "CAST(round(Seconds * 1000) AS INTEGER)"}'
    migration 0004_name '"table": "Employee", "add": {"FullName": {"type": "TEXT", "not_null": true}}, "forward": {"FullName": "FirstName || '"' '"' || LastName"}, "drop": ["FirstName", "LastName"], "reverse": {"FirstName": "substr(FullName, 1, instr(FullName, '"' '"') - 1)", "LastName": "substr(FullName, instr(FullName, '"' '"') + 1)"}, "valid_old": "instr(FirstName, '"' '"') = 0"'
    migration 0005_artist '"table": "Artist", "add": {"Title": {"type": "NVARCHAR(120)"}, "Sort": {"type": "TEXT"}}, "forward": {"Title": "Name", "Sort": "lower(Name)"}, "drop": ["Name"], "reverse": {"Name": "Title"}'
    old_writes() {
        sql "UPDATE Customer SET Email = 'one@two.example' WHERE CustomerId = 1;
             INSERT INTO Customer(CustomerId, FirstName, LastName, Email) VALUES(900, 'A', 'B', 'a@b.example');
             INSERT INTO Invoice(InvoiceId, CustomerId, InvoiceDate, Total) VALUES(900, 900, '2026-01-01', 1.99);
             UPDATE Track SET Milliseconds = Milliseconds + 1 WHERE TrackId <= 10;
             UPDATE Track SET Milliseconds = Milliseconds - 1 WHERE TrackId <= 10;
             INSERT INTO Employee(EmployeeId, FirstName, LastName) VALUES(900, 'Ann', 'Old Code');
             REPLACE INTO Artist(ArtistId, Name) VALUES(900, 'Old'); INSERT OR IGNORE INTO Artist(ArtistId, Name) VALUES(900, 'x');"
    }
    new_writes() {
        sql "INSERT INTO Customer(CustomerId, FirstName, LastName, Mailbox, Domain) VALUES(901, 'A', 'B', 'a', 'b.example');
             INSERT INTO Invoice(InvoiceId, CustomerId, InvoiceDate, TotalCents) VALUES(901, 901, '2026-01-01', 101);
             UPDATE Invoice SET TotalCents = 102 WHERE InvoiceId = 901;
             INSERT INTO Employee(EmployeeId, FullName) VALUES(901, 'Ann New Code');
             INSERT INTO Artist(ArtistId, Title, Sort) VALUES(901, 'New', 'new');
             UPDATE Artist SET Title = 'AC/DC' WHERE ArtistId = 1;"
    }
    read_both() {
        same "old code reads what new code wrote" "a@b.example|1.02|Ann|New Code|New" "$(sql "SELECT c.Email, Total, e.FirstName, e.LastName, Name FROM Customer AS c JOIN Invoice USING (CustomerId), Employee AS e, Artist WHERE CustomerId = 901 AND EmployeeId = 901 AND ArtistId = 901")"
        same "new code reads what old code wrote" "b.example|199|Ann Old Code|old" "$(sql "SELECT Domain, TotalCents, e.FullName, Sort FROM Customer JOIN Invoice USING (CustomerId), Employee AS e, Artist WHERE CustomerId = 900 AND EmployeeId = 900 AND ArtistId = 900")"
        sql "UPDATE Customer SET Email = 'luisg@embraer.com.br' WHERE CustomerId = 1"
    }
    undo() {
        sql "DELETE FROM Invoice WHERE InvoiceId >= 900; DELETE FROM Customer WHERE CustomerId >= 900;
             DELETE FROM Employee WHERE EmployeeId >= 900; DELETE FROM Artist WHERE ArtistId >= 900;"
    }
    forth_and_back 5
}

# ---- PROJ ----

# The file of the Debian package proj-data, installed or fetched; nothing is installed.
find_proj() {
    proj=/usr/share/proj/proj.db
    [ -r "$proj" ] && return 0
    (cd "$work" && apt-get download proj-data && dpkg -x proj-data_*.deb proj) >"$work/apt.log" 2>&1
    proj=$work/proj/usr/share/proj/proj.db
    [ -r "$proj" ]
}

proj() {
    begin epsg
    cp "$proj" "$db" && chmod u+w "$db" || exit 1
    migration 0001_area '"table": "extent", "add": {"area": {"type": "TEXT", "not_null": true, "check": "length(area) >= 0"}, "area_length": {"type": "INTEGER"}}, "forward": {"area": "description", "area_length": "length(description)"}, "drop": ["description"], "reverse": {"description": "area"}'
    migration 0002_origin '"table": "alias_name", "add": {"origin": {"type": "TEXT"}, "alias_key": {"type": "TEXT", "not_null": true}}, "forward": {"origin": "source", "alias_key": "auth_name || '"':'"' || code"}, "drop": ["source"], "reverse": {"source": "origin"}'
    migration 0003_key '"table": "usage", "add": {"extent_key": {"type": "TEXT", "not_null": true}}, "forward": {"extent_key": "extent_auth_name || '"':'"' || extent_code"}'
    migration 0004_short '"table": "unit_of_measure", "add": {"short_name": {"type": "TEXT"}, "source": {"type": "TEXT", "not_null": true}}, "forward": {"short_name": "proj_short_name", "source": "'"'EPSG'"'"}, "drop": ["proj_short_name"], "reverse": {"proj_short_name": "short_name"}'
    migration 0005_folder '"table": "grid_alternatives", "drop": ["directory"], "lossy": true'
    migration 0006_origin '"table": "supersession", "add": {"origin": {"type": "TEXT"}}, "forward": {"origin": "source"}, "drop": ["source"], "reverse": {"source": "origin"}'
    old_writes() {
        sql "PRAGMA foreign_keys = ON;
             INSERT INTO extent(auth_name, code, name, description, deprecated) VALUES('test', 1, 'here', 'a place', 0);
             UPDATE extent SET description = description || '.' WHERE auth_name = 'EPSG' AND code < 1100;
             UPDATE extent SET description = substr(description, 1, length(description) - 1) WHERE auth_name = 'EPSG' AND code < 1100;
             INSERT INTO alias_name(table_name, auth_name, code, alt_name, source) SELECT 'extent', 'test', 1, 'there', 'us';
             UPDATE unit_of_measure SET proj_short_name = 'meter' WHERE code = 9001;
             UPDATE unit_of_measure SET proj_short_name = 'm' WHERE code = 9001;
             UPDATE supersession SET source = 'test' WHERE source IS NULL;
             UPDATE supersession SET source = NULL WHERE source = 'test';"
    }
    new_writes() {
        sql "PRAGMA foreign_keys = ON;
             INSERT INTO extent(auth_name, code, name, area, area_length, deprecated) VALUES('test', 2, 'here', 'new', 3, 0);
             UPDATE extent SET area = 'newer', area_length = 5 WHERE auth_name = 'test' AND code = 2;
             INSERT INTO alias_name(table_name, auth_name, code, alt_name, origin, alias_key) VALUES('extent', 'test', 2, 'there', 'us', 'test:2');
             INSERT INTO unit_of_measure(auth_name, code, name, type, short_name, source, deprecated) VALUES('test', 2, 'span', 'length', 'span', 'us', 0);"
    }
    read_both() {
        same "old code reads what new code wrote" "newer|us|span" "$(sql "SELECT e.description, a.source, u.proj_short_name FROM extent AS e JOIN alias_name AS a USING (auth_name, code) JOIN unit_of_measure AS u USING (auth_name, code) WHERE auth_name = 'test' AND code = 2")"
        same "new code reads what old code wrote" "a place|7|us|test:1" "$(sql "SELECT e.area, e.area_length, a.origin, a.alias_key FROM extent AS e JOIN alias_name AS a USING (auth_name, code) WHERE auth_name = 'test' AND code = 1")"
        refused "an insert without column names fails, as plan says" "has 11 columns but 9 values" "INSERT INTO extent VALUES('test', 3, 'here', 'a place', 1, 2, 3, 4, 0)"
        refused "the application's triggers are there" "refers to unexisting code" "INSERT INTO alias_name(table_name, auth_name, code, alt_name) VALUES('extent', 'test', 77, 'nowhere')"
        refused "its CHECKs too" "CHECK constraint failed" "INSERT INTO extent(auth_name, code, name, description, south_lat, deprecated) VALUES('test', 4, 'here', 'a place', 100, 0)"
    }
    undo() {
        sql "DELETE FROM alias_name WHERE auth_name = 'test'; DELETE FROM extent WHERE auth_name = 'test'; DELETE FROM unit_of_measure WHERE auth_name = 'test';"
    }
    # A trigger of 121 kB, which SQLite's own ALTER TABLE compares under the lock.
    cp "$db" "$work/copy.db"
    from=$(date +%s%N)
    sqlite3 -bail "$work/copy.db" "BEGIN; ALTER TABLE extent RENAME COLUMN description TO d; ROLLBACK;"
    engine=$((($(date +%s%N) - from) / 1000))
    exits "one to contracted" 0 "$m" apply 0001_area --to contracted --json
    held=$(jq '[.steps[].hold_ms] | max * 1000 | floor' <<<"$said")
    exits "and back" 0 "$m" rollback --json
    back=$(jq '[.steps[].hold_ms] | max * 1000 | floor' <<<"$said")
    echo "proj: longest hold $held us, on the way back $back us; one ALTER TABLE of SQLite $engine us"
    same "no long hold" 1 "$((held < engine && back < engine))"
    forth_and_back 6
}

if [ -r "$shared/data/chinook.sql" ]; then
    chinook
else
    echo "left out: Chinook is not here (../shared/data/chinook.sql)"
fi
if [ -z "${CHECK_FULL:-}" ] && [ ! -r /usr/share/proj/proj.db ]; then
    echo "left out: proj.db, which make check-full fetches (Debian's proj-data)"
elif find_proj; then
    proj
else
    echo "left out: proj.db could not be fetched: $(tail -1 "$work/apt.log")"
fi
finish
