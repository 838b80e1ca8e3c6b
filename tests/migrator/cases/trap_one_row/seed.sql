INSERT INTO setting VALUES('colour', 'red');
