SELECT id, hall, no, who, "of" FROM seat ORDER BY 1;
