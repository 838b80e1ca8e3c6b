INSERT INTO note VALUES('x', 1, 'p'), ('x', 2, 1), ('Y', 1, 2.0), ('z', 5, x'00ff');
