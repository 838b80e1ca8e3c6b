DROP TRIGGER account_address_insert;
DROP TRIGGER account_address_update;
DROP TRIGGER account_address_delete;
-- old code fails loudly; the triggers of address follow the names
ALTER TABLE account RENAME COLUMN city TO city_was;
ALTER TABLE account RENAME COLUMN street TO street_was;
