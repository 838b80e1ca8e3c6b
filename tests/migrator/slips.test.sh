#!/usr/bin/env bash
# Slips of the pen are told before anything is done, with what was meant: names of gates, empty words,
# forms of a default, and what editors put into text files.
. "$(dirname "$0")/../walk/walk_lib.sh"
m=$build/migrate db=$work/app.db
export LOCKSTEP_ENVIRONMENT=test LOCKSTEP_DATABASE=$db LOCKSTEP_MIGRATIONS=$work/migrations
one=$LOCKSTEP_MIGRATIONS/0001_one
fresh() {
    rm -rf "$db"* "$LOCKSTEP_MIGRATIONS"
    mkdir -p "$one"
    sql "CREATE TABLE t(id INTEGER PRIMARY KEY, email TEXT); INSERT INTO t(email) VALUES('a@b')"
    before=$(sha256sum <"$db")
}
untouched() { same "$1: nothing was changed" "$before" "$(sha256sum <"$db")"; }

# ---- names of gates ----
fresh
echo '{"table": "t", "add": {"d": {"type": "TEXT"}}, "forward": {"d": "upper(email)"}, "drop": ["email"],
       "reverse": {"email": "lower(d)"}}' >"$one/migration.json"
for to in "" "--dry-run" "--to in-sync"; do
    # shellcheck disable=SC2086
    exits "a gate that is none ($to)" 2 "$m" apply $to --override-gate nope --reason x
    says "the names are told" "*'nope'*nothing-depends-on-old*old-writes-idle, declared*"
    untouched "a gate that is none ($to)"
done
exits "a misspelt gate" 2 "$m" apply --override-gate old-write-idle --reason x
says "the nearest is told" "*did you mean 'old-writes-idle'?*"
exits "the gate that cannot be overridden" 2 "$m" apply --override-gate verified --reason x
says "is said to be" "*cannot be overridden*migrate verify*"
exits "a flag's gate without a flag" 2 "$m" apply --override-gate no-client-behind --reason x
says "says so" "*the migration has no flag*"
exits "a declared gate that is not" 2 "$m" apply --override-gate declared --reason x
says "says so" "*no contract gate of its own*"
exits "a gate, without a reason" 2 "$m" apply --override-gate old-writes-idle
untouched "gates"
exits "a gate that is one" 0 "$m" apply --override-gate old-writes-idle --reason x
says "passes it" "*in-sync -> contracted*"

# ---- empty words ----
fresh
echo 'CREATE TABLE u(id INTEGER PRIMARY KEY);' >"$LOCKSTEP_MIGRATIONS/0002_u.sql"
rm -r "$one"
for option in --recovery-point --recovery-dir --to --plan --override-gate --reason --database --environment --migrations \
    --throttle-while --throttle-url; do
    exits "apply $option ''" 2 "$m" apply "$option" ''
    says "is told" "*${option}*empty*"
done
exits "plan --out ''" 2 "$m" plan --out ''
exits "rollback --to ''" 2 "$m" rollback --to ''
untouched "empty words"

# ---- a default, as JSON and as SQL ----
# gives DEFAULT VALUE: what stands in a row of new code
gives() {
    fresh
    echo "{\"table\": \"t\", \"add\": {\"d\": {\"type\": \"$3\", \"default\": $1}}, \"old_writes_idle\": \"0s\"}" >"$one/migration.json"
    exits "default $1" 0 "$m" apply --to contracted --wait 10s
    sql "INSERT INTO t(email) VALUES('new')"
    same "default $1: is there" "$2" "$(sql "SELECT typeof(d) || ' ' || d FROM t WHERE email = 'new'")"
}
gives 5 "integer 5" INT
gives -7 "integer -7" INT
gives 0.1 "real 0.1" REAL
gives true "integer 1" INT
gives '"5"' "integer 5" INT
gives "\"'five'\"" "text five" TEXT
for bad in null '"five"' '""' '{}' '"(random())"'; do
    fresh
    echo "{\"table\": \"t\", \"add\": {\"d\": {\"type\": \"TEXT\", \"default\": $bad}}}" >"$one/migration.json"
    exits "default $bad" 2 "$m" plan
    says "says the right form" "*\"default\" of \"d\"*literal*\"'new'\"*"
done

# ---- how files are saved ----
fresh
rm "$LOCKSTEP_MIGRATIONS"/0001_one -r
mkdir -p "$one"
printf '\xef\xbb\xbf{"table": "t",\r\n"add": {"d": {"type": "TEXT", "not_null": true}},\r\n"forward": {"d": "upper(\\r\\nemail)"}}\r\n' >"$one/migration.json"
printf '\xef\xbb\xbfCREATE TABLE u(id INTEGER PRIMARY KEY,\r\n a TEXT);\r\n-- why\r\nINSERT INTO u(a) VALUES(1);\r\n' >"$LOCKSTEP_MIGRATIONS/0002_u.sql"
mkdir -p "$LOCKSTEP_MIGRATIONS/0003_v" "$LOCKSTEP_MIGRATIONS/0004_hand"
printf '\xef\xbb\xbfCREATE TABLE v(id);\r\n' >"$LOCKSTEP_MIGRATIONS/0003_v/up.sql"
printf '\xef\xbb\xbfDROP TABLE v;\r\n' >"$LOCKSTEP_MIGRATIONS/0003_v/down.sql"
printf '{"table": "u",\r\n"handwritten": true}\r\n' >"$LOCKSTEP_MIGRATIONS/0004_hand/migration.json"
printf '\xef\xbb\xbfALTER TABLE u\r\nADD COLUMN b;\r\n' >"$LOCKSTEP_MIGRATIONS/0004_hand/expand.sql"
printf 'ALTER TABLE u\r\nDROP COLUMN b;\r\n' >"$LOCKSTEP_MIGRATIONS/0004_hand/expand.down.sql"
printf '\xef\xbb\xbfCREATE TRIGGER u_b AFTER INSERT ON u\r\nBEGIN\r\n UPDATE u SET b = a WHERE id = NEW.id;\r\nEND;\r\n' >"$LOCKSTEP_MIGRATIONS/0004_hand/dual_write.sql"
printf 'DROP TRIGGER u_b;\r\n' >"$LOCKSTEP_MIGRATIONS/0004_hand/dual_write.down.sql"
printf '\xef\xbb\xbfUPDATE u SET b = a\r\nWHERE b IS NULL\r\nAND :range\r\n' >"$LOCKSTEP_MIGRATIONS/0004_hand/backfill.sql"
printf '\xef\xbb\xbfSELECT id FROM u\r\nWHERE b IS NOT a;\r\n' >"$LOCKSTEP_MIGRATIONS/0004_hand/verify.sql"
exits "a mark in front, and CR LF: plan" 0 "$m" plan
exits "a mark in front, and CR LF: apply" 0 "$m" apply --to in-sync
same "the rows are there" "A@B|1" "$(sql "SELECT d, b FROM t, u")"
same "no trigger of ours has a line end in it" 0 "$(sql "SELECT count(*) FROM sqlite_master WHERE name LIKE 'lockstep%' AND type = 'trigger' AND instr(sql, char(13)) + instr(sql, char(10)) > 0")"
for file in "$LOCKSTEP_MIGRATIONS"/*.sql "$LOCKSTEP_MIGRATIONS"/*/*; do sed -i '1s/^\xef\xbb\xbf//; s/\r$//' "$file"; done
exits "saved again without: the same files" 0 "$m" apply --to in-sync
exits "and back" 0 "$m" rollback 0004
exits "and back" 0 "$m" rollback 0003
for file in 0005_w.sql 0006_x/migration.json; do
    mkdir -p "$LOCKSTEP_MIGRATIONS/0006_x"
    printf '\xff\xfeC\0R\0' >"$LOCKSTEP_MIGRATIONS/$file"
    exits "UTF-16 ($file)" 2 "$m" plan
    says "is told" "*$file*UTF-16*UTF-8*"
    rm -r "${LOCKSTEP_MIGRATIONS:?}/${file%%/*}"
done
# ---- names ----
fresh
rm -r "$one"
for name in 0004-x 0005 '0006 name' x0007_y 99999999999999999999_z; do
    mkdir "$LOCKSTEP_MIGRATIONS/$name"
    exits "a folder that is none of ours ($name)" 0 "$m" plan
    echo '{"table": "t"}' >"$LOCKSTEP_MIGRATIONS/$name/migration.json"
    exits "a migration without a number ($name)" 2 "$m" plan
    says "is told" "*$name has no number: call the folder NNNN_name*"
    rm -r "${LOCKSTEP_MIGRATIONS:?}/$name"
done
echo 'CREATE TABLE u(a);' >"$LOCKSTEP_MIGRATIONS/0001_u.SQL"
exits "a file in capitals" 2 "$m" plan
says "is told" "*0001_u.SQL*end in .sql*"
rm "$LOCKSTEP_MIGRATIONS/0001_u.SQL"
touch "$LOCKSTEP_MIGRATIONS/README.md" "$LOCKSTEP_MIGRATIONS/0001_u.sql.orig" "$LOCKSTEP_MIGRATIONS/.0002_v.sql.swp"
mkdir -p "$LOCKSTEP_MIGRATIONS/meta"
exits "what else lies there" 0 "$m" plan

# ---- the migrator's own tables ----
for member in '"table": "d1_migrations", "rename": {"name": "x"}' '"table": "D1_Migrations", "add": {"x": {"type": "TEXT"}}' '"drop_table": "d1_migrations"' \
    '"table": "t", "rename_table": "d1_migrations"'; do
    fresh
    sql "CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)"
    echo "{$member}" >"$one/migration.json"
    exits "the ledger: $member" 2 "$m" apply
    says "is told" "*ledger of migrations*"
done

# ---- as many columns as a migration may name, and as many as a table may have ----
# all N: every one of N columns gets another name
all() {
    fresh
    sql "CREATE TABLE wide(id INTEGER PRIMARY KEY, $(seq -f 'c%.0f TEXT NOT NULL' -s ', ' "$1"));
         INSERT INTO wide VALUES(1, $(seq -f "'v%.0f'" -s ', ' "$1"))"
    jq -n --argjson n "$1" '{table: "wide", rename: ([range(1; $n + 1) | {key: "c\(.)", value: "d\(.)"}] | from_entries), old_writes_idle: "0s"}' \
        >"$one/migration.json"
}
for n in 12 32; do
    all $n
    exits "$n columns renamed: plan" 0 "$m" plan
    exits "$n columns renamed: contracted" 0 "$m" apply --to contracted --wait 10s
    sql "UPDATE wide SET d1 = 'new', d$n = 'last'"
    exits "$n columns renamed: and back" 0 "$m" rollback
    same "$n columns renamed: kept true" "new|last" "$(sql "SELECT c1, c$n FROM wide")"
done
all 33
exits "33 columns renamed" 1 "$m" plan
says "is told" "*more than 32 columns*"
fresh
sql "CREATE TABLE wide(id INTEGER PRIMARY KEY, $(seq -f 'c%.0f TEXT' -s ', ' 1900)); INSERT INTO wide(c1, c1900) VALUES('a', 'z')"
echo '{"table": "wide", "rename": {"c1": "d1"}, "old_writes_idle": "0s"}' >"$one/migration.json"
exits "a table of 1900 columns" 0 "$m" apply --to contracted --wait 10s
exits "a table of 1900 columns: and back" 0 "$m" rollback

# ---- the manual page ----
exits "the manual page" 0 "$m" help --man
page=$said
for word in table add forward drop reverse rename retype alter create_index drop_index create_table drop_table rename_table rename_indexes \
    valid_old lossy flag gates old_writes_idle watch on_failure needs handwritten \
    nothing\\-depends\\-on\\-old flag\\-on\\-everywhere no\\-client\\-behind no\\-client\\-without\\-lease old\\-writes\\-idle declared verified \
    pending expanded dual\\-writing in\\-sync contracted purged; do
    grep -qF -e "$word" <<<"$page" && passed=$((passed + 1)) || same "the manual page says $word" "" "it does not"
done
finish
