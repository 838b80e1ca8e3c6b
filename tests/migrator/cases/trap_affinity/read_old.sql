SELECT id, quote(a), quote(b), quote(c), quote(d), quote(e), quote(f) FROM zip ORDER BY 1;
