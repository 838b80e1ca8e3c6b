UPDATE text SET first = first || '!' WHERE id = 4;
