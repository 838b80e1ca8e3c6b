SELECT id, place FROM account ORDER BY 1;
