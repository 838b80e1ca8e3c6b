SELECT id, "user name", note FROM account ORDER BY "user name", id;
