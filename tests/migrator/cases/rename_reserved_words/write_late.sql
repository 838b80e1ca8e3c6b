INSERT INTO "order"("table") VALUES('late');
