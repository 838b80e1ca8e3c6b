INSERT INTO queue(job, due) VALUES('mail:ann', 5);
