UPDATE meter SET most = most * 10, """last""" = 9007199254740993 WHERE id = 8;
