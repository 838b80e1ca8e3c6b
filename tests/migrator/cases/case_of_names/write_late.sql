UPDATE Customer SET Mail = 'late' WHERE Id = 3;
