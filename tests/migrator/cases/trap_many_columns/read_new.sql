SELECT id, c01, c64, c65, email, box, total FROM wide ORDER BY 1;
