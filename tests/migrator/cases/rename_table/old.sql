CREATE TABLE note(id INTEGER PRIMARY KEY, note TEXT UNIQUE, day TEXT COLLATE NOCASE DEFAULT 'mon', -- its day
    n INTEGER NOT NULL DEFAULT 0 CHECK(n >= 0), twice AS (n * 2));
CREATE INDEX note_by_day ON note(day) WHERE day <> 'sun';
CREATE UNIQUE INDEX by_n_note ON note(n, note COLLATE NOCASE);
CREATE TABLE other(id INTEGER PRIMARY KEY);
