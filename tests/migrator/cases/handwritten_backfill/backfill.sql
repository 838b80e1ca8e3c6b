UPDATE account SET place = city WHERE place IS NULL AND city IS NOT NULL AND :range;
