INSERT INTO "order"("group", "select") VALUES('o', 2);
