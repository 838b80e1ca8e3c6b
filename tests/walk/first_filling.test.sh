#!/usr/bin/env bash
# Many migrations on an empty file run with a write-ahead log, which is gone afterwards: also behind a
# kill, beside a reader, and never on a file that somebody made before.
. "$(dirname "$0")/walk_lib.sh"
unset LOCKSTEP_DATABASE LOCKSTEP_MIGRATIONS LOCKSTEP_ENVIRONMENT LOCKSTEP_FLAG_SERVER LOCKSTEP_TOKEN
m=$build/migrate
cd "$work" || exit 1
mkdir many few
for i in $(seq -w 1 200); do echo "CREATE TABLE t$i(id INTEGER PRIMARY KEY, a TEXT NOT NULL);" >"many/0${i}_t$i.sql"; done
for i in 1 2 3; do echo "CREATE TABLE t$i(id INTEGER PRIMARY KEY);" >"few/000${i}_t$i.sql"; done
db=app.db
mode() { sql 'PRAGMA journal_mode'; }
marker() { sql "SELECT count(*) FROM lockstep_meta WHERE key = 'write_ahead'"; }
tables() { sql "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name GLOB 't[0-9]*'"; }
apply() { "$m" apply --database sqlite:$db --create --migrations many; }

exits 'an empty file' 0 apply
same 'all of it' 200 "$(tables)"
same 'the journal is as it was' 'delete 0' "$(mode) $(marker)"
same 'no log is left' app.db "$(echo app.db*)"
same 'sound' ok "$(sql 'PRAGMA integrity_check')"

rm app.db*
"$m" apply --database sqlite:$db --create --migrations many >out 2>&1 & # not a shell around it: it is killed
for _ in $(seq 400); do [ "$(tables 2>/dev/null || echo 0)" -gt 10 ] 2>/dev/null && break; done
kill -9 $!
wait $! 2>/dev/null
before=$(tables)
same 'killed on the way, with its log' 'wal 1' "$(mode) $(marker)"
same 'not done yet' yes "$([ "$before" -gt 10 ] && [ "$before" -lt 200 ] && echo yes || echo "no: $before")"
exits 'the dead one is shown the door' 0 "$m" unlock --database sqlite:$db --migrations many --reason 'it was killed'
exits 'the next run' 0 apply
same 'ends it' '200 delete 0' "$(tables) $(mode) $(marker)"

rm app.db*
mkfifo hold
(sqlite3 app.db <hold >/dev/null) &
exec 9>hold
for _ in $(seq 100); do [ -e app.db ] && break; sleep 0.05; done
apply >out 2>&1 &
for _ in $(seq 400); do [ "$(tables 2>/dev/null || echo 0)" -gt 1 ] 2>/dev/null && break; done
echo 'SELECT count(*) FROM sqlite_master;' >&9
wait $!
exec 9>&-
wait
exits 'with nothing left to do' 0 apply
same 'a reader that stayed open does not keep the log for ever' '200 delete 0' "$(tables) $(mode) $(marker)"

rm app.db*
sql 'PRAGMA journal_mode = WAL; CREATE TABLE own(id)' >/dev/null
exits 'a file with a log of its own' 0 apply
same 'keeps it' 'wal 0' "$(mode) $(marker)"

rm app.db*
sql 'CREATE TABLE own(id)'
exits 'a file that somebody made' 0 apply
same 'is left as it is' 'delete 0' "$(mode) $(marker)"

rm app.db*
exits 'three migrations' 0 "$m" apply --database sqlite:$db --create --migrations few
same 'need no log' 'delete 0' "$(mode) $(marker)"
finish
