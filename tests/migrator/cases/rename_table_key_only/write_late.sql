UPDATE remark SET id = 8 WHERE id = 7;
