UPDATE part SET content = x'00', digest = 9223372036854775807 WHERE id = 5;
