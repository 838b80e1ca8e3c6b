CREATE TABLE c(id INTEGER PRIMARY KEY, email TEXT, domain TEXT AS (substr(email, instr(email, '@') + 1)) VIRTUAL);
