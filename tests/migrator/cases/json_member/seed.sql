INSERT INTO event(body) VALUES('{"kind": "login", "by": {"name": "ann"}}'), ('junk'), (NULL), ('[1]'), (x'ff'), ('{"kind": 7}');
