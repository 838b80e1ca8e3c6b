SELECT id, name, state, tries, note FROM job ORDER BY id;
