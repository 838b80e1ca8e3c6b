CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT, length INT);
CREATE INDEX by_length ON t(length(text));
CREATE INDEX length ON t(text);
CREATE INDEX its ON t(length);
CREATE VIEW lengthy AS SELECT id FROM t WHERE length (text) > 2;
