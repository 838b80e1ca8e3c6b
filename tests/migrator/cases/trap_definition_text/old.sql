CREATE TABLE IF NOT EXISTS "main".'text' -- a ) in a comment, and a '
(
  "first,one" TEXT DEFAULT ('a,b' || ')') /* ( */ CHECK ("first,one" <> ',)') NOT NULL,
  [id] INTEGER -- the key, it's
    CONSTRAINT "pk ," PRIMARY KEY ASC, kept DEFAULT -1, last CHAR ( 10 , 2 ) DEFAULT +.5e1 CONSTRAINT n NULL
) ;
