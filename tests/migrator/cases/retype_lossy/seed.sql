INSERT INTO t(a) VALUES('1.50'), ('x'), (NULL), ('2.0');
