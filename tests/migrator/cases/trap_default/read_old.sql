SELECT id, state, tries, at IS NOT NULL FROM job ORDER BY 1;
