INSERT INTO meter(least, most, """last""") VALUES(9223372036854775806, 1e308, -1e-300);
UPDATE meter SET least = -9223372036854775807, """last""" = 0.1 WHERE id = 1;
