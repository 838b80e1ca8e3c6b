SELECT id, job, due FROM queue ORDER BY 1;
