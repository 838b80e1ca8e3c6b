INSERT INTO ver(text) VALUES('11.0.0');
