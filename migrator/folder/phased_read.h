/*
 * phased_read - what the readers of a migration.json share. For phased*.c alone.
 */
#ifndef MIGRATOR_PHASED_READ_H
#define MIGRATOR_PHASED_READ_H

#include "base/json.h"
#include "migrator/folder/phased.h"

struct phased_reader {
    struct arena *arena;
    struct phased *phased;
    struct err *err;
};

const char *phased_keep(struct phased_reader *reader, const char *text);
bool phased_same_name(const char *a, const char *b);
MUST_USE enum err_code phased_wrong_kind(struct phased_reader *reader, const char *what,
                                         const char *wanted, const struct json *json);
/* A string that is not empty. */
MUST_USE enum err_code phased_take_text(struct phased_reader *reader, const char *what,
                                        const struct json *json, const char **out);
/* Refuses a member whose name is not one of names (NULL-terminated). */
MUST_USE enum err_code phased_known(struct phased_reader *reader, const struct json *object,
                                    const char *where, const char *const *names);

/* What phased_columns_read() reads beside "add", "forward", "drop" and "reverse". */
#define PHASED_COLUMN_MEMBERS "rename", "retype", "alter", "create_index", "drop_index"
/* ERR_INVALID, with what to do instead, for what no phased migration can do yet. */
MUST_USE enum err_code phased_refuse_unsupported(struct phased_reader *reader,
                                                 const struct json *json);
/* "CAST(\"column\" AS TEXT)"; NULL: no CAST makes every value of that type. */
const char *phased_cast(struct arena *arena, const char *column, const char *type);
MUST_USE enum err_code phased_columns_read(struct phased_reader *reader, const struct json *json);
/* Whether what was read makes sense together. */
MUST_USE enum err_code phased_columns_check(struct phased_reader *reader);

#endif
