CREATE TABLE c(id INTEGER PRIMARY KEY, email TEXT);
CREATE VIEW everything AS SELECT * FROM c;
CREATE TABLE other(email TEXT);
CREATE VIEW of_other AS SELECT email FROM other;
CREATE TRIGGER on_other AFTER INSERT ON other BEGIN UPDATE other SET email = lower(email); END;
