INSERT INTO c(email) VALUES('old'); INSERT INTO other VALUES('Y');
