SELECT id FROM account WHERE place IS NOT city
