UPDATE account SET place = city WHERE place IS NOT city AND :range;
