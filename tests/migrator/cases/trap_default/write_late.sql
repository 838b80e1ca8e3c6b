INSERT INTO job(phase, tries) VALUES('LATE', 0);
