SELECT id, amount, typeof(amount), label FROM reading ORDER BY id;
