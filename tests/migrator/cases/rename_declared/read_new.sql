SELECT id, login, note FROM account ORDER BY login, id;
