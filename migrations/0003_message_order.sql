-- A message of a migrator's run that is over may come late: none is taken that was sent before one
-- that was. 0: the last one said nothing of its place.

ALTER TABLE tie ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
