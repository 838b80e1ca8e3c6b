INSERT INTO part(content, digest, name) VALUES(x'610062', CAST(x'ff00' AS TEXT), 'new');
UPDATE part SET content = CAST(content AS BLOB) WHERE id = 2;
