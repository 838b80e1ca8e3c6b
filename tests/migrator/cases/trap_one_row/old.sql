CREATE TABLE setting(key TEXT NOT NULL, value TEXT, UNIQUE(key));
