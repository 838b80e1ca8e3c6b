INSERT INTO event(body) VALUES('{"kind": "login"}'), ('{"kind": null}');
