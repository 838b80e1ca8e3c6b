SELECT id, typeof(least), quote(least), typeof(most), quote(most), typeof("""last"""), quote("""last""") FROM meter ORDER BY 1;
