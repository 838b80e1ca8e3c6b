SELECT "größe", "vor →", nach, "日本" FROM "Größe 日本" ORDER BY 1;
