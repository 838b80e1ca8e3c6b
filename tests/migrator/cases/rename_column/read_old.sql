SELECT id, "order", x FROM t ORDER BY id;
