INSERT INTO edge VALUES(-9223372036854775808, 'least'), (-1, 'minus'), (0, 'zero'), (9223372036854775807, 'most');
