CREATE TABLE log(id INTEGER PRIMARY KEY, line TEXT, debug TEXT, at INTEGER);
CREATE INDEX log_debug ON log(debug);
