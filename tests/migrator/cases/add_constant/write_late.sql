UPDATE account SET status = 'active';
