INSERT INTO meter(low, high, any) VALUES(-1, 1e999, -9223372036854775808);
UPDATE meter SET low = low - 1, high = high * 2 WHERE id = 4;
