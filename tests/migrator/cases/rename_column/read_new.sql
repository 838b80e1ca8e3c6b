SELECT id, position, x FROM t ORDER BY id;
