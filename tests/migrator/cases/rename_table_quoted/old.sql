CREATE TABLE [Old "one"](id INTEGER PRIMARY KEY, "a b" TEXT, "it's" INT);
CREATE INDEX "of Old ""one""" ON [Old "one"]("it's");
