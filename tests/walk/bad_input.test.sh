#!/usr/bin/env bash
# Bad input, program by program: one clear message with what to do, the right exit code or status,
# and nothing changed.
. "$(dirname "$0")/walk_lib.sh"
m=$build/migrate f=$build/flags s=$build/flag-server c=$build/condition
db=$work/app.db
export LOCKSTEP_ENVIRONMENT=test

# ---- unknown commands and options, for each program ----
for program in migrate flags flag-server condition; do
    exits "$program: an unknown command" 2 "$build/$program" aply
    says "$program: and where help is" "*help*"
    exits "$program: an unknown option" 2 "$build/$program" --no-such-option
    exits "$program: --help" 0 "$build/$program" --help
    says "$program: shows a usage line" "*$program*"
    exits "$program: --version" 0 "$build/$program" --version
    exits "$program: no command" 2 "$build/$program"
done
exits "migrate: the nearest command is named" 2 "$m" aply
says "migrate: apply" "*apply*"

# ---- conditions ----
exits "a syntax error has a caret" 2 "$c" eval '1 +'
says "it" "*^*"
exits "a misspelt function" 2 "$c" eval '"a".startWith("b")'
says "names the nearest" "*startsWith*"
exits "variables that are no JSON" 2 "$c" eval '1' --vars '{"a":'
says "with line and column" "*line 1*"
exits "an absent attribute is an error" 1 "$c" eval 'plan == "pro"' --vars '{}'

# ---- databases ----
mkdir -p "$work/migrations"
echo 'CREATE TABLE a(id INTEGER PRIMARY KEY);' >"$work/migrations/0001_a.sql"
head -c 8192 /dev/urandom >"$work/noise.db"
noise=$(sha256sum <"$work/noise.db")
exits "a file that is no database" 2 "$m" apply --database "$work/noise.db" --migrations "$work/migrations"
says "is said to be none" "*noise.db*database*"
same "and not touched" "$noise" "$(sha256sum <"$work/noise.db")"
exits "a database that is not there, to plan on" 1 "$m" status --database "$work/none/none.db" --migrations "$work/migrations"
exits "an unknown scheme" 2 "$m" status --database "mysql://x" --migrations "$work/migrations"
sqlite3 "$db" "CREATE TABLE t(id INTEGER PRIMARY KEY, email TEXT NOT NULL); INSERT INTO t VALUES(1, 'a@b.c')"
before=$(sha256sum <"$db")
chmod 0444 "$db"
chmod 0755 "$work"
if [ "$(id -u)" = 0 ]; then as=(setpriv --reuid=65534 --regid=65534 --clear-groups); else as=(env); fi
cp "$m" "$work/migrate" # where anybody reaches it
chmod 0555 "$work"
said=$("${as[@]}" "$work/migrate" apply --database "$db" --migrations "$work/migrations" 2>&1)
code=$?
chmod 0755 "$work"
same "no permission to write" 1 "$code"
says "and it is said" "*ermission*"
same "nothing changed" "$before" "$(sha256sum <"$db")"
chmod 0644 "$db"
export LOCKSTEP_DATABASE=$db

# ---- migration folders ----
exits "a folder that is not there" 1 "$m" plan --migrations "$work/nowhere"
exits "an unknown migration" 1 "$m" apply 0099 --migrations "$work/migrations"
says "it is named" "*0099*"
try() { # WHAT PATTERN: the folder $work/bad must be refused with exit 2, before anything is changed
    exits "$1" 2 "$m" apply --migrations "$work/bad"
    says "$1: the message" "$2"
    same "$1: nothing changed" "$before" "$(sha256sum <"$db")"
    rm -rf "$work/bad"
}
mkdir -p "$work/bad/0001_half"
try "an empty migration folder" "*0001_half*"
mkdir -p "$work/bad/0001_half"
echo 'SELECT 1;' >"$work/bad/0001_half/down.sql"
try "a folder with down.sql alone" "*up.sql*"
mkdir -p "$work/bad/0001_json"
printf '{\n "table": "t",\n "add": {' >"$work/bad/0001_json/migration.json"
try "half a migration.json" "*line 3*"
mkdir -p "$work/bad/0001_json"
echo '{"table":"t","ad":{"x":{"type":"TEXT"}}}' >"$work/bad/0001_json/migration.json"
try "an unknown member" "*\"ad\"*"
mkdir -p "$work/bad/0001_json"
echo '{"table":"missing","add":{"x":{"type":"TEXT"}},"forward":{"x":"email"}}' >"$work/bad/0001_json/migration.json"
try "an unknown table" "*missing*"
mkdir -p "$work/bad/0001_json"
echo '{"table":"t","add":{"x":{"type":"TEXT"}},"forward":{"x":"emial"}}' >"$work/bad/0001_json/migration.json"
try "an unknown column in an expression" "*emial*"
mkdir -p "$work/bad/0001_json"
echo '{"table":"t","add":{"x":{"type":"TEXT"}},"forward":{"x":"lower(email)"},"drop":["email"]}' >"$work/bad/0001_json/migration.json"
try "a drop without reverse" "*reverse*"
mkdir -p "$work/bad/0001_json"
echo '{"table":"t","add":{"x":{"type":"TEXT"}},"forward":{"x":"lower(email)"},"gates":{"contract":"now >"}}' >"$work/bad/0001_json/migration.json"
try "a gate that is no condition" "*gate*"
mkdir -p "$work/bad"
echo 'CREATE TABLE x(id);' >"$work/bad/0001_x.sql"
echo 'CREATE TABLE y(id);' >"$work/bad/0001_y.sql"
try "equal numbers" "*0001*"
mkdir -p "$work/bad"
printf -- '-- migrate:up\nCREATE TABLE x(id);\n-- migrate:down\nDROP TABLE x;\n' >"$work/bad/0001_x.sql"
try "another tool's file" "*dbmate*"

# ---- the server ----
exits "serve before init" 2 "$s" serve --store "sqlite:$work/nothing.db"
says "names the command to use" "*flag-server init*"
init_server
exits "init over a store" 3 "$s" init --store "sqlite:$work/flags.db"
exits "a port in use" 1 "$s" serve --store "sqlite:$work/flags.db" --listen "${LOCKSTEP_URL#http://}"
says "is said to be" "*in use*"
exits "an unknown flag" 1 "$f" show no-such-flag
says "is named" "*no-such-flag*"
exits "create" 0 "$f" create some-flag
exits "a name that is nearly right" 1 "$f" show some-flg
exits "a percentage that is none" 2 "$f" ramp some-flag --to 120%
exits "a domain that is none" 2 "$f" ramp some-flag --domain 'not a domain' --to 10%
exits "a key that is none" 2 "$f" create Bad_Key!
revision=$("$f" list --json | jq .revision)
exits "a wrong token" 1 env LOCKSTEP_TOKEN=ls_admin_wrong "$f" list
says "and what to check" "*token*"
exits "a server that is not there" 1 env LOCKSTEP_URL=http://127.0.0.1:1 "$f" list
says "names the URL" "*127.0.0.1:1*"

http() { # prints the status; the body goes to $work/body
    curl -s -o "$work/body" -w '%{http_code}' -H "Authorization: Bearer $LOCKSTEP_TOKEN" "$@"
}
same "no token" 401 "$(curl -s -o /dev/null -w '%{http_code}' "$LOCKSTEP_URL/api/v1/flags")"
same "a flag that is no JSON" 400 "$(http -d '{"key":' "$LOCKSTEP_URL/api/v1/flags")"
same "a problem document" 400 "$(jq .status "$work/body")"
same "a rule with a syntax error" 400 "$(http -d '{"key":"r","rules":[{"name":"a","when":"plan ==","serve":{"variant":"on"}}]}' "$LOCKSTEP_URL/api/v1/flags")"
same "a body that is too large" 413 "$(head -c 2000000 /dev/zero | tr '\0' ' ' | http --data-binary @- "$LOCKSTEP_URL/api/v1/flags")"
same "an unknown path" 404 "$(http "$LOCKSTEP_URL/api/v1/nothing")"
same "a method that is not there" 405 "$(http -X PATCH "$LOCKSTEP_URL/api/v1/flags")"
same "an unknown flag over OFREP" 404 "$(http -d '{"context":{}}' "$LOCKSTEP_URL/ofrep/v1/evaluate/flags/none")"
same "and its code" FLAG_NOT_FOUND "$(jq -r .errorCode "$work/body")"
same "a context that is no object" 400 "$(http -d '{"context":[1]}' "$LOCKSTEP_URL/ofrep/v1/evaluate/flags/some-flag")"
same "none of it changed anything" "$revision" "$("$f" list --json | jq .revision)"
stop_server
same "the server ended cleanly" 0 $?
finish
