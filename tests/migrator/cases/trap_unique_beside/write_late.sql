UPDATE OR REPLACE seat SET hall = 'red', no = 1 WHERE id = 12;
