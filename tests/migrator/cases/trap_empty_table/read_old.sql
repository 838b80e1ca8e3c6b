SELECT id, job, due FROM queue UNION ALL SELECT 'sequence', name, seq FROM sqlite_sequence ORDER BY 1;
