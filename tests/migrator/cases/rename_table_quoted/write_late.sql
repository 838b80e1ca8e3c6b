UPDATE "ord""er" SET "a b" = 'late' WHERE id = 1;
