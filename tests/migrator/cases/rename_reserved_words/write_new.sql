INSERT INTO "order"("table", "say ""hi""") VALUES('n', 3);
