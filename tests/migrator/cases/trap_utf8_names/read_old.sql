SELECT "größe", "naïve Straße", "日本" FROM "Größe 日本" ORDER BY 1;
