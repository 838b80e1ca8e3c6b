SELECT id, c01, c63, c64, c65, c80, email, tail FROM wide ORDER BY 1;
