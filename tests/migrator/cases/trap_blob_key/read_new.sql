SELECT quote(hash), quote(part), note, size, mark FROM chunk ORDER BY hash, part;
