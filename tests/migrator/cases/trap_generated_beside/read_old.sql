SELECT id, net, gross, kind, label, note FROM bill ORDER BY 1;
