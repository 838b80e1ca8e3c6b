CREATE TABLE task(id INTEGER PRIMARY KEY, title TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'open', changed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE audit(n INTEGER PRIMARY KEY, what TEXT, id INTEGER);
CREATE TRIGGER task_came AFTER INSERT ON task BEGIN INSERT INTO audit(what, id) VALUES('came', NEW.id); UPDATE task SET changed = 1 WHERE id = NEW.id; END;
CREATE TRIGGER task_titled AFTER UPDATE OF title ON task BEGIN INSERT INTO audit(what, id) VALUES('titled', NEW.id); UPDATE task SET changed = changed + 1 WHERE id = NEW.id; END;
CREATE TRIGGER task_went BEFORE DELETE ON task BEGIN INSERT INTO audit(what, id) VALUES('went', OLD.id); END;
