INSERT INTO word(w) VALUES('äöü');
UPDATE word SET w = upper(w) WHERE id = 1;
