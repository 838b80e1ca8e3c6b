UPDATE contact SET country = NULL, area = NULL WHERE id = 3;
