DROP TRIGGER account_address_insert;
DROP TRIGGER account_address_update;
DROP TRIGGER account_address_delete;
DROP TRIGGER address_account_insert; DROP TRIGGER address_account_update; DROP TRIGGER address_account_delete;
-- nothing keeps it true from here on: the next backfill begins anew
DELETE FROM address;
