CREATE TABLE Customer(Id INTEGER PRIMARY KEY, Email TEXT NOT NULL, Changed INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX other ON Customer(Id, Changed);
CREATE INDEX email ON Customer(Changed);
CREATE INDEX lower_email ON Customer(lower(EMAIL)) WHERE eMail <> '';
CREATE TRIGGER touched AFTER UPDATE ON Customer WHEN NEW.Changed = OLD.Changed BEGIN UPDATE Customer SET Changed = Changed + 1 WHERE Id = NEW.Id; END;
