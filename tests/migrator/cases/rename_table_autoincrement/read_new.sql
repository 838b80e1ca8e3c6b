SELECT id, a FROM remark ORDER BY 1;
