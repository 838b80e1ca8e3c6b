INSERT INTO "Größe 日本" VALUES(1, 'Ärger→Öl', '東京'), (2, '𝄞→', NULL), (3, '→ß', 'é'), (4, 'é→e' || char(769), 'x');
