DROP TRIGGER account_address_insert;
DROP TRIGGER account_address_update;
DROP TRIGGER account_address_delete;
