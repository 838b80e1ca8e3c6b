INSERT INTO log(line) VALUES('four');
