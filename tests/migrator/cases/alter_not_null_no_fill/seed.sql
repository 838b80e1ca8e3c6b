INSERT INTO u(name) VALUES('ann'), ('bob');
