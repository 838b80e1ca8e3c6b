CREATE TABLE chunk(hash BLOB, part, note TEXT, PRIMARY KEY(hash, part DESC)) WITHOUT ROWID;
