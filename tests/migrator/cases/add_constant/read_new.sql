SELECT id, owner, status FROM account ORDER BY id;
