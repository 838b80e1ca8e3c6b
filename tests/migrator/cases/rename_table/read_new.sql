SELECT id, note, day, n, twice FROM remark ORDER BY id;
