CREATE TABLE person(first TEXT, last TEXT, born TEXT, CONSTRAINT has_name CHECK (born <> ''));
