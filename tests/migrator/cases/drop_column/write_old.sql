INSERT INTO log(line, debug) VALUES('three', 'd3');
