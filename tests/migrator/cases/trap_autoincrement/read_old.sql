SELECT id, seat, code FROM ticket UNION ALL SELECT 'next', seq + 1, '-' FROM sqlite_sequence WHERE name = 'ticket' ORDER BY 1;
