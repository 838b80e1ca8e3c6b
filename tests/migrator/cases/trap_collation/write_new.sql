UPDATE login SET handle = '@bOB' WHERE id = 2;
INSERT INTO login(handle) VALUES('@New');
