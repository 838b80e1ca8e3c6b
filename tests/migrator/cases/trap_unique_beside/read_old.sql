SELECT id, hall, no, guest FROM seat ORDER BY 1;
