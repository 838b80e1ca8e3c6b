SELECT id, value, typeof(value), unit FROM reading ORDER BY id;
