SELECT id, phase, tries FROM job ORDER BY 1;
