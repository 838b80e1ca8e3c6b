SELECT id, quote(a2), quote(b2), quote(c2), quote(d2), quote(e2), quote(f2) FROM zip ORDER BY 1;
