CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, [length] INT, kept TEXT, gone TEXT);
CREATE INDEX t_a ON t(a COLLATE NOCASE DESC);
CREATE INDEX by_both ON T("a", -- the name
  abs(length)) WHERE length(a) < 100 AND length IS NOT NULL;
CREATE INDEX t_old ON t(a, kept);
CREATE INDEX t_kept ON t(kept);
CREATE INDEX t_gone ON t(a, gone);
