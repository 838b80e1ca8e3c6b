#!/bin/sh
# Prints a C file with SQL files as server_migrations[]:  server/embed.sh migrations/0001_x.sql ...
set -eu
echo '#include "server/migrations.h"'
echo 'const struct migrate_file server_migrations[] = {'
for file in "$@"; do
    printf '    {"%s",\n' "$(basename "$file")"
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/     "&\\n"/' "$file"
    echo '    },'
done
echo '    {NULL, NULL}};'
