UPDATE bill SET net = 7, category = NULL WHERE id = 1;
