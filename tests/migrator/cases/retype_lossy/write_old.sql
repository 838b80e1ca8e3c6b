UPDATE t SET a = '03' WHERE id = 4;
