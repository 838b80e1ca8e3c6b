CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT NOT NULL DEFAULT 'text' CHECK(text <> 'x'),
  [length] int(3,4) CHECK (length(length) < 4 AND (1)) /* of what */ COLLATE NOCASE);
CREATE INDEX t_length ON t(length(text), length);
