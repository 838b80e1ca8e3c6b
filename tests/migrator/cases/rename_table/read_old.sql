SELECT id, note, day, n, twice FROM note ORDER BY id;
