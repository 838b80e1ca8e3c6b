UPDATE login SET name = 'ANN' WHERE name = 'Ann';
UPDATE login SET name = lower(name) WHERE id = 3;
INSERT INTO login(name, pad) VALUES('old', 'a  ');
