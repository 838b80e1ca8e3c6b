SELECT id, net, gross, category, label, note FROM bill ORDER BY 1;
