INSERT INTO t("order", x) VALUES('first', 1.5), ('second', NULL), ('grüße', 3);
