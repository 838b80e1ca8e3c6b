CREATE TABLE "Größe 日本"("größe" INTEGER PRIMARY KEY, "naïve Straße" TEXT NOT NULL, "日本" TEXT);
CREATE INDEX "Ünder" ON "Größe 日本"("日本");
