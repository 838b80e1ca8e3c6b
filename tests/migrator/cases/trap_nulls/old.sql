CREATE TABLE contact(id INTEGER PRIMARY KEY, phone TEXT, fax TEXT, note TEXT DEFAULT NULL);
CREATE INDEX contact_fax ON contact(fax) WHERE fax IS NOT NULL;
