UPDATE login SET handle = upper(handle) WHERE id = 5;
