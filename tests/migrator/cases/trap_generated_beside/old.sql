CREATE TABLE bill(id INTEGER PRIMARY KEY, net INTEGER NOT NULL, gross AS (net * 119 / 100), kind TEXT, label TEXT GENERATED ALWAYS AS (upper(coalesce(note, '-'))) STORED, note TEXT);
CREATE INDEX bill_gross ON bill(gross);
