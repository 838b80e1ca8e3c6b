CREATE TABLE "odd name"("a ""b""" TEXT, `c` INTEGER, rowid TEXT, kept TEXT, PRIMARY KEY(c));
