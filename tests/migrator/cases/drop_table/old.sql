CREATE TABLE orders(id INTEGER PRIMARY KEY, n INTEGER);
CREATE TABLE log(what TEXT);
CREATE TABLE note(id INTEGER PRIMARY KEY AUTOINCREMENT, -- of a note
   orders INTEGER REFERENCES orders(id) ON DELETE CASCADE, text TEXT UNIQUE, parent INTEGER REFERENCES note(id));
CREATE INDEX note_orders ON note(orders) WHERE note.orders > 0;
CREATE TRIGGER note_log AFTER DELETE ON note BEGIN INSERT INTO log VALUES('note ' || OLD.id || ' of ' || (SELECT count(*) FROM note)); END;
