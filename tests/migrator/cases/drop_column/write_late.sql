INSERT INTO log(line) VALUES('late');
