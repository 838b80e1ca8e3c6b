SELECT quote(hash), quote(part), note FROM chunk ORDER BY hash, part;
