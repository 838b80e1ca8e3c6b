INSERT INTO person(name, zip, fax, email) VALUES('Zed', '01234', '1', 'zed@x'), ('ann', NULL, '2', NULL), ('Bob', '7', '', 'bob@y');
