SELECT id, login, postcode, email, email_length, status FROM person ORDER BY 1;
