INSERT INTO t("order") VALUES('third');
INSERT INTO t(x) VALUES(9);
