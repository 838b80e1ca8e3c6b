/*
 * migrations - the SQL files of migrations/, built into the program by server/embed.sh.
 */
#ifndef SERVER_MIGRATIONS_H
#define SERVER_MIGRATIONS_H

#include <stddef.h>

#include "migrator/migrate.h"

extern const struct migrate_file server_migrations[]; /* ends with a NULL name */

#endif
