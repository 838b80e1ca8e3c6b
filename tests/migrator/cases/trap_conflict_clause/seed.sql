INSERT INTO tag(name, slug) VALUES('one', '1'), ('two', '2'), ('three', '3');
