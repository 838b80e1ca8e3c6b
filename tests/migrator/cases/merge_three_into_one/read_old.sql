SELECT id, major, minor, patch FROM ver ORDER BY id;
